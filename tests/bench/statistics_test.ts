import assert from "node:assert/strict";
import { median, percentiles, slopeOf } from "../../bench/statistics.ts";

Deno.test("median() and percentiles() take values in any order, and have none of none", () => {
  const values = Array.from({ length: 100 }, (_, i) => (i * 37) % 100 + 1); // 1 … 100
  assert.deepEqual(percentiles(values, [0, 0.5, 0.99, 1]), [1, 50, 99, 100]);
  assert.deepEqual(percentiles([], [0.5]), [NaN]);
  assert.deepEqual([median([3, 1, 2]), median([4, 1, 3, 2])], [2, 3]);
});

Deno.test("slopeOf() is the median slope, which peaks do not move", () => {
  assert.equal(slopeOf([[0, 1], [1, 3], [2, 5]]), 2);
  const line = Array.from({ length: 5000 }, (_, x): [number, number] => [x, x / 4]);
  assert.equal(slopeOf(line), 0.25);
  const peaks = line.map(([x, y]): [number, number] => [x, x % 10 === 5 ? y + 1000 : y]);
  assert.ok(Math.abs(slopeOf(peaks) - 0.25) < 1e-9);
  assert.equal(slopeOf([[0, 1]]), NaN);
});
