import assert from "node:assert/strict";
import { median, percentiles, slopeOf } from "../../bench/statistics.ts";

Deno.test("median() and percentiles() take values in any order, and have none of none", () => {
  const values = Array.from({ length: 100 }, (_, i) => (i * 37) % 100 + 1); // 1 … 100
  assert.deepEqual(percentiles(values, [0, 0.5, 0.99, 1]), [1, 50, 99, 100]);
  assert.deepEqual(percentiles([], [0.5]), [NaN]);
  assert.deepEqual([median([3, 1, 2]), median([4, 1, 3, 2])], [2, 3]);
});

Deno.test("slopeOf() is the least-squares line's", () => {
  assert.equal(slopeOf([[0, 1], [1, 3], [2, 5]]), 2);
  assert.equal(slopeOf([[0, 0], [1, 3], [2, 0]]), 0);
});
