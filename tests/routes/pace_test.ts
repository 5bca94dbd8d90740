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
