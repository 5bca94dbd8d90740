/**
 * Random numbers that a seed repeats on any machine: mulberry32 (Tommy Ettinger, public domain),
 * which uses only 32-bit integer arithmetic.
 */

/** Largest seed. */
export const MAX_SEED = 2 ** 32 - 1;

/**
 * A generator of numbers in [0, 1).
 *
 * @param seed whole number from 0 to {@linkcode MAX_SEED}
 * @throws {RangeError} for any other seed
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { seeded } from "./seeded.ts";
 *
 * const [first, second] = [seeded(1), seeded(1)];
 * assert.equal(first(), second());
 * ```
 */
export function seeded(seed: number): () => number {
  if (!Number.isInteger(seed) || seed < 0 || seed > MAX_SEED) {
    throw new RangeError(`a seed is a whole number from 0 to ${MAX_SEED}, got ${seed}`);
  }
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x = (x + Math.imul(x ^ (x >>> 7), x | 61)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number in [0, bound), from the next number of a generator. */
export function below(bound: number, random: () => number): number {
  return Math.floor(random() * bound);
}

/**
 * A seed from words and numbers, the same on any machine: FNV-1a (Fowler, Noll and Vo, public
 * domain) over their UTF-8 text.
 */
export function hashOf(...parts: readonly (string | number)[]): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(parts.join("\0"))) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0;
}

/**
 * A draw from the standard normal distribution, from the next two numbers of a generator (Box and
 * Muller 1958).
 */
export function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
