/** Features of recordings, ready to be written. */
import type { FileOutput } from "./embed_options.ts";

/** One output of one recording. */
export interface Feature {
  readonly output: FileOutput;
  /** Shape of the whole array: `[T, C]`, `[T, steps, Z]`, or without T when pooled. */
  readonly shape: readonly number[];
  /** The array in order, in pieces of whole rows (the last size is a row). */
  read(): AsyncIterable<Float32Array>;
}

/** The features of one recording. */
export interface Embedded {
  readonly seconds: number;
  readonly frames: number;
  readonly features: readonly Feature[];
}
