import assert from "node:assert/strict";
import fc from "fast-check";
import { SampleLog } from "../../inference/sample_log.ts";

Deno.test("SampleLog: slices equal the signal, however it came, and stay as they are", () => {
  const step = fc.record({
    append: fc.integer({ min: 0, max: 30_000 }),
    drop: fc.integer({ min: -9_000, max: 40_000 }),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(fc.property(fc.nat(5000), fc.array(step, { maxLength: 20 }), (start, steps) => {
    const log = new SampleLog(start);
    const slices: { from: number; slice: Float32Array }[] = [];
    let dropped = start;
    for (const { append, drop, at } of steps) {
      const next = log.end;
      log.append(Float32Array.from({ length: append }, (_, i) => next + i));
      assert.equal(log.end, next + append);
      const index = dropped + drop;
      log.dropBefore(index);
      dropped = Math.max(dropped, Math.min(index, log.end));
      const from = dropped + Math.floor(at * (log.end - dropped));
      slices.push({ from, slice: log.slice(from, log.end) });
      assert.equal(slices.at(-1)!.slice.length, log.end - from);
    }
    for (const { from, slice } of slices) {
      assert.ok(slice.every((x, i) => x === from + i), `samples from ${from}`);
    }
    if (dropped > start) assert.throws(() => log.slice(dropped - 1, dropped), RangeError);
    assert.throws(() => log.slice(dropped, log.end + 1), RangeError);
  }));
});
