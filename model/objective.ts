/**
 * The training objective in plain loops: InfoNCE with the log-bilinear score z_{t+k}ᵀ W_k c_t.
 *
 * van den Oord et al. 2018 (arXiv:1807.03748), as the forward pass of Lai's implementation of CPC
 * computes it: one t, negatives from the same frame of the other windows. Legend: N windows, T
 * frames, Z latent width, K steps.
 */
import { CpcError } from "../errors.ts";
import { dot, type Floats, logSumExp } from "./floats.ts";
import { below } from "./seeded.ts";

/** What the objective needs at one frame t. */
export interface ObjectiveBatch {
  /** N */
  readonly windows: number;
  /** K */
  readonly steps: number;
  /** z_{t+1} … z_{t+K} of each window, `[N, K, Z]` */
  readonly future: Floats;
  /** W_1 c_t … W_K c_t of each window, `[N, K, Z]` */
  readonly predictions: Floats;
}

/** Figures of one step k, or means of them. */
export interface StepFigures {
  /** 1-based. */
  readonly k: number;
  /** In nats. */
  readonly nce: number;
  /** 0…1 */
  readonly accuracy: number;
}

/** What the original forward reports. */
export interface ObjectiveFigures {
  /** Mean over steps and windows, in nats. */
  readonly nce: number;
  /** Of the last step. */
  readonly accuracy: number;
  readonly steps: readonly StepFigures[];
}

/**
 * How many frames t of a window can be scored: 0 … the returned number less one.
 *
 * @param options `frames` T and `steps` K
 * @throws {CpcError} `audio_too_short` when no frame is followed by K frames
 */
export function scorableFrames({ frames, steps }: { frames: number; steps: number }): number {
  if (frames > steps) return frames - steps;
  throw new CpcError(
    "audio_too_short",
    `a window must have more frames than the ${steps} steps predicted, at least ${
      steps + 1
    }; it has ${frames}`,
    { param: "window" },
  );
}

/**
 * The frame to score at: the one given, or one that a generator draws evenly (`t_samples` of the
 * original).
 *
 * @throws {CpcError} `audio_too_short` for windows without such a frame; `invalid_option` for a t
 *   beyond them
 */
export function chooseFrame(
  { frames, steps }: { frames: number; steps: number },
  { t, random }: { t?: number; random: () => number },
): number {
  const bound = scorableFrames({ frames, steps });
  if (t === undefined) return below(bound, random);
  if (Number.isInteger(t) && t >= 0 && t < bound) return t;
  throw new CpcError(
    "invalid_option",
    `t must be a frame from 0 to ${
      bound - 1
    } (windows of ${frames} frames, ${steps} steps), got ${t}`,
    { param: "t" },
  );
}

/** The scores of step k: `total[i][j]` = z_{t+k} of window i · W_k c_t of window j, `[N, N]`. */
export function totalOf(
  { windows: N, steps: K, future, predictions }: ObjectiveBatch,
  k: number,
): Float64Array {
  const Z = future.length / N / K;
  const total = new Float64Array(N * N);
  for (let i = 0; i < N; i++) {
    for (let j = 0; j < N; j++) {
      total[i * N + j] = dot(future, predictions, {
        a: (i * K + k - 1) * Z,
        b: (j * K + k - 1) * Z,
        width: Z,
      });
    }
  }
  return total;
}

/**
 * Figures of one matrix of scores, computed as in the original: both softmaxes over dim 1, the
 * accuracy's argmax over dim 0 (the first of equals).
 *
 * @param total `[N, N]`
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { figuresOf } from "./objective.ts";
 *
 * const { nce, accuracy } = figuresOf(Float64Array.of(9, 0, 0, 9), 1);
 * assert.ok(nce < 0.001);
 * assert.equal(accuracy, 1);
 * ```
 */
export function figuresOf(total: Float64Array, k: number): StepFigures {
  const N = Math.sqrt(total.length);
  const best = new Float64Array(N).fill(-Infinity); // of column j over the rows so far
  const bestRow = new Int32Array(N);
  let nce = 0;
  for (let i = 0; i < N; i++) {
    const row = total.subarray(i * N, (i + 1) * N);
    const logSum = logSumExp(row);
    nce += logSum - row[i]!;
    for (let j = 0; j < N; j++) {
      const softmax = Math.exp(row[j]! - logSum);
      if (softmax > best[j]!) [best[j], bestRow[j]] = [softmax, i];
    }
  }
  const correct = bestRow.reduce((sum, i, j) => sum + (i === j ? 1 : 0), 0);
  return { k, nce: nce / N, accuracy: correct / N };
}

/**
 * Steps' figures with the original's summary: mean nce (its sum / −N·K), and the accuracy of the
 * last step.
 */
export function overall(steps: readonly StepFigures[]): ObjectiveFigures {
  const nce = steps.reduce((sum, step) => sum + step.nce, 0) / steps.length;
  return { nce, accuracy: steps[steps.length - 1]!.accuracy, steps };
}

/**
 * Means of the figures of several frames, or of CDCK6's two networks: its nce over 2·N·K scores,
 * its accuracy over 2·N.
 */
export function meanFigures(each: readonly ObjectiveFigures[]): ObjectiveFigures {
  const mean = (of: (figures: ObjectiveFigures) => number) =>
    each.reduce((sum, figures) => sum + of(figures), 0) / each.length;
  return overall(
    each[0]!.steps.map(({ k }, i) => ({
      k,
      nce: mean(({ steps }) => steps[i]!.nce),
      accuracy: mean(({ steps }) => steps[i]!.accuracy),
    })),
  );
}
