/** What healthy clients say, and what they must hear: noise of several lengths and its features. */
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import { referenceForward } from "../model/reference.ts";
import { seeded } from "../model/seeded.ts";
import type { Weights } from "../model/weights.ts";

/** A signal with its features. */
export interface Clip {
  readonly seconds: number;
  /** 16-bit samples, little endian. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of the plain reference over the whole signal, `[T, C]`. */
  readonly context: Float64Array;
  readonly frames: number;
}

/** The most that a number may differ from the reference's. */
export const TOLERANCE = 1e-4;

/** Noise that swells and fades, so that no two places are alike. */
export function clipOf(
  weights: Weights,
  { seconds, seed }: { seconds: number; seed: number },
): Clip {
  const random = seeded(seed);
  const pcm = Int16Array.from(
    { length: seconds * MODEL_SAMPLE_RATE },
    (_, i) => (random() * 2 - 1) * 12_000 * (1 + Math.sin(i / 4000)),
  );
  const { context } = referenceForward(weights, Float32Array.from(pcm, (x) => x / 32768));
  return {
    seconds,
    bytes: new Uint8Array(pcm.buffer),
    context: context.data,
    frames: context.frames,
  };
}

/**
 * The largest difference of what was heard from what is true; Infinity where frames are missing.
 */
export function differenceFrom(clip: Clip, heard: ArrayLike<number>): number {
  if (heard.length !== clip.context.length) return Infinity;
  let most = 0;
  for (let i = 0; i < heard.length; i++) {
    const difference = Math.abs(heard[i] - clip.context[i]);
    if (!(difference <= most)) most = Number.isNaN(difference) ? Infinity : difference;
  }
  return most;
}
