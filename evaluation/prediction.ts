/**
 * How well a model predicts its own latents: InfoNCE over all frames of windows, with negatives
 * from the batch.
 */
import { scorableFrames, type StepFigures } from "../model/objective.ts";
import { drawNegatives, sampledObjective } from "../model/sampled_objective.ts";
import { seeded } from "../model/seeded.ts";
import { type Estimate, meanOverSpeakers } from "./metrics/intervals.ts";
import type { Window } from "./selection.ts";

/** Samples of a window. */
export const WINDOW_SAMPLES = 20_480;
/** Windows of a batch, and latents drawn from it as negatives for every position. */
const BATCH_WINDOWS = 32;
export const NEGATIVES = 128;

/** z and predictions of a window. */
export interface Predicted {
  readonly frames: number;
  /** `[T, Z]` */
  readonly latent: Float32Array;
  /** `[T, K · Z]` */
  readonly predictions: Float32Array;
}

/** How good a model's predictions are. */
export interface PredictionFigures {
  readonly nce: Estimate;
  readonly steps: readonly StepFigures[];
  readonly windows: number;
}

/**
 * Scores windows in batches of {@linkcode BATCH_WINDOWS}; an incomplete batch is used only when it
 * is the first.
 *
 * @param options `steps` K, and the function that predicts a window
 */
export async function runPrediction(
  windows: readonly Window[],
  { steps: K, predict, onWindow, seed = 1 }: {
    steps: number;
    predict: (samples: Float32Array<ArrayBuffer>) => Promise<Predicted>;
    onWindow?: () => void;
    seed?: number;
  },
): Promise<PredictionFigures> {
  const random = seeded(seed);
  const N = Math.min(BATCH_WINDOWS, windows.length);
  const batches = Math.floor(windows.length / N);
  const steps = Array.from({ length: K }, (_, i) => ({ k: i + 1, nce: 0, accuracy: 0 }));
  const nceOfWindows: number[] = [];
  for (let b = 0; b < batches; b++) {
    const batch = await Promise.all(
      windows.slice(b * N, (b + 1) * N).map(async ({ samples }) => {
        const predicted = await predict(samples);
        onWindow?.();
        return predicted;
      }),
    );
    const T = batch[0].frames;
    const S = scorableFrames({ frames: T, steps: K });
    const Z = batch[0].latent.length / T;
    const latent = new Float32Array(N * T * Z);
    const predictions = new Float32Array(N * S * K * Z);
    batch.forEach((window, n) => {
      latent.set(window.latent, n * T * Z);
      predictions.set(window.predictions.subarray(0, S * K * Z), n * S * K * Z);
    });
    const negatives = drawNegatives({ rows: N * T, count: Math.min(NEGATIVES, N * T) }, random);
    const figures = sampledObjective({
      windows: N,
      frames: T,
      steps: K,
      latent,
      predictions,
      negatives,
      shared: true,
    });
    figures.steps.forEach(({ nce, accuracy }, i) => {
      steps[i].nce += nce / batches;
      steps[i].accuracy += accuracy / batches;
    });
    for (let n = 0; n < N; n++) {
      let sum = 0;
      for (let k = 0; k < K; k++) {
        for (let t = 0; t < S; t++) sum += figures.nceEach[(k * N + n) * S + t];
      }
      nceOfWindows.push(sum / (K * S));
    }
  }
  const speakers = windows.slice(0, batches * N).map(({ speaker }) => speaker);
  return { nce: meanOverSpeakers(nceOfWindows, speakers), steps, windows: nceOfWindows.length };
}
