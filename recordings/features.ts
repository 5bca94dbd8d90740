/** Features of recordings, ready to be written. */
import { type HeadSpec, rowWidth, sizeOf } from "../model/heads/spec.ts";
import type { FileOutput } from "./embed_options.ts";

/** One output of one recording. */
export interface Feature {
  /** Its name; of a head, `head.NAME.OUTPUT`. */
  readonly output: FileOutput | `head.${string}`;
  /** Shape of the whole array: `[T, C]`, `[T, steps, Z]`, or without T when pooled. */
  readonly shape: readonly number[];
  /** The array in order, in pieces of whole rows (the last size is a row). */
  read(): AsyncIterable<Float32Array>;
}

/** Rows of one head for one recording. */
export interface HeadFeature {
  readonly name: string;
  /** Rows a second. */
  readonly rate: number;
  readonly rows: number;
  readonly spec: Pick<HeadSpec, "outputs">;
  /** Each row's outputs one after the other, in pieces of whole rows. */
  read(): AsyncIterable<Float32Array>;
}

/** The features of one recording. */
export interface Embedded {
  readonly seconds: number;
  readonly frames: number;
  readonly features: readonly Feature[];
  readonly heads: readonly HeadFeature[];
}

/** All of a recording's arrays: a head has one for each of its outputs. */
export function arrays({ features, heads }: Embedded): Feature[] {
  return [...features, ...heads.flatMap(arraysOfHead)];
}

function arraysOfHead({ name, rows, spec: { outputs }, read }: HeadFeature): Feature[] {
  const width = rowWidth({ outputs });
  let before = 0;
  return outputs.map((output): Feature => {
    const [at, size] = [before, sizeOf(output.shape)];
    before += size;
    return {
      output: `head.${name}.${output.name}`,
      shape: [rows, ...output.shape],
      async *read() {
        for await (const piece of read()) {
          const part = new Float32Array(piece.length / width * size);
          for (let r = 0; r < part.length / size; r++) {
            part.set(piece.subarray(r * width + at, r * width + at + size), r * size);
          }
          yield part;
        }
      },
    };
  });
}
