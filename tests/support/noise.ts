/** Noise for tests, the same for the same seed. */
import { seeded } from "../../model/seeded.ts";

/** Between −0.5 and 0.5. */
export function noise(length: number, seed: number): Float32Array<ArrayBuffer> {
  const next = seeded(seed);
  return Float32Array.from({ length }, () => next() - 0.5);
}

/** Multiples of 1/128 between −1 and 1: exact in every WAV encoding. */
export function coarseNoise(length: number, seed: number): Float32Array<ArrayBuffer> {
  const next = seeded(seed);
  return Float32Array.from({ length }, () => Math.floor(next() * 256 - 128) / 128);
}
