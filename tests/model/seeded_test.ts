import assert from "node:assert/strict";
import { MAX_SEED, seeded } from "../../model/seeded.ts";

Deno.test("seeded() gives the numbers that docs/scoring.md describes", () => {
  // computed from that formula in exact integers
  const described = new Map([
    [12345, [4207900869, 1317490944, 2079646450, 3513001552]],
    [0, [1144304738, 1416247, 958946056]],
    [MAX_SEED, [3850105811, 813802916, 3073704848]],
  ]);
  for (const [seed, numbers] of described) {
    const next = seeded(seed);
    assert.deepEqual(numbers.map(() => next() * 2 ** 32), numbers);
  }
});

Deno.test("seeded() refuses seeds beyond 32 bits", () => {
  for (const seed of [-1, 0.5, MAX_SEED + 1, NaN]) assert.throws(() => seeded(seed), RangeError);
});
