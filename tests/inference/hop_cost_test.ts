import assert from "node:assert/strict";
import fc from "fast-check";
import { BATCHED_ROWS, HopCost } from "../../inference/hop_cost.ts";

/** A machine whose step of `rows` hops takes a fixed part and a part per hop. */
const stepSeconds = (rows: number, perHop: number) => 0.002 + rows * perHop;

Deno.test("HopCost: full steps bring any first measure to what a hop takes", () => {
  const truth = stepSeconds(16, 0.0008) / 16;
  fc.assert(fc.property(fc.double({ min: 1e-5, max: 1, noNaN: true }), (measured) => {
    const cost = new HopCost(measured);
    for (let i = 0; i < 1000; i++) cost.observe({ rows: 16, seconds: stepSeconds(16, 0.0008) });
    assert.ok(Math.abs(cost.seconds / truth - 1) < 1e-3, `${cost.seconds}`);
  }));
});

Deno.test("HopCost: steps of few hops lower what was measured, and never raise it", () => {
  const rows = fc.array(fc.integer({ min: 1, max: BATCHED_ROWS - 1 }), {
    minLength: 1,
    maxLength: 50,
  });
  fc.assert(fc.property(rows, fc.double({ min: 1e-5, max: 1, noNaN: true }), (steps, measured) => {
    const cost = new HopCost(measured);
    for (const rows of steps) cost.observe({ rows, seconds: stepSeconds(rows, 0.0008) });
    const best = Math.min(...steps.map((rows) => stepSeconds(rows, 0.0008) / rows));
    assert.equal(cost.seconds, Math.min(measured, best));
  }));
});
