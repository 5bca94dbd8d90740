/** Drives an engine as a worker does, for tests that need no worker. */
export * from "../../conformance/drive.ts";

/** A predictable generator of numbers in [0, 1) (mulberry32), for inputs that need no shrinking. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x = (x + Math.imul(x ^ (x >>> 7), x | 61)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}
