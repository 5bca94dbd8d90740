/** fast-check's generators, driven by our random numbers. */
import fc from "fast-check";
import { below, MAX_SEED } from "../../model/seeded.ts";
import type { Random } from "./mutation.ts";

const AT_ONCE = 100;

/** Draws values of an arbitrary; samples are made a hundred at a time, which is much faster. */
export function arbitrary<T>(values: fc.Arbitrary<T>): (random: Random) => T {
  let ready: T[] = [];
  return (random) => {
    const seed = below(MAX_SEED, random);
    if (ready.length === 0) ready = fc.sample(values, { numRuns: AT_ONCE, seed: seed | 0 });
    return ready.pop()!;
  };
}
