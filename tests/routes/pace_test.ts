import assert from "node:assert/strict";
import { Pace } from "../../routes/pace.ts";

Deno.test("Pace: a client may stall, and earns time with bytes, up to what it had", () => {
  const pace = new Pace({ stallMs: 1000, bytesPerS: 100 });
  assert.equal(pace.leftMs, 1000);
  pace.waited(900, 10); // 10 bytes are worth 100 ms
  assert.equal(pace.leftMs, 200);
  pace.waited(100, 1e6);
  assert.equal(pace.leftMs, 1000);
  for (let i = 0; i < 20; i++) pace.waited(200, 10); // half the rate
  assert.equal(pace.leftMs, 100);
});

Deno.test("Pace: whoever was waited for too long has no time left but what it earns", () => {
  const pace = new Pace({ stallMs: 1000, bytesPerS: 100 });
  pace.waited(5000, 0);
  assert.equal(pace.leftMs, 0);
  pace.waited(5000, 10);
  assert.equal(pace.leftMs, 100);
});

Deno.test("Pace: no time is longer than a timer takes", () => {
  assert.equal(new Pace({ stallMs: 1e12, bytesPerS: 100 }).leftMs, 2 ** 31 - 1);
});
