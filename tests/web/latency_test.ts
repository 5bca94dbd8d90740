import assert from "node:assert/strict";
import type { Ready } from "../../client/mod.ts";
import { Latency } from "../../web/latency.ts";

const READY = { hop: 160, lookahead: 312, sample_rate: 48_000 } as Ready;
const frame = (first: number) => ({ segment: 0, first, count: 1, every: 1, time: 0, steps: [] });

Deno.test("Latency is known when a frame's samples were handed over, in each segment", () => {
  const latency = new Latency();
  latency.sent(900); // frame 0 needs 936 at 48 kHz
  latency.arrived(frame(0), READY);
  assert.equal(latency.ms, undefined);
  latency.sent(36);
  latency.arrived(frame(0), READY);
  const { ms } = latency;
  assert.ok(ms !== undefined && ms >= 0);
  latency.arrived(frame(1), READY); // needs 480 more
  assert.equal(latency.ms, ms);
  latency.beginSegment();
  latency.sent(935);
  latency.arrived(frame(0), READY);
  assert.equal(latency.ms, ms);
});
