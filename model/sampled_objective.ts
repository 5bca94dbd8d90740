/**
 * The training objective over all t with sampled negatives, in plain loops. Legend: N windows, T
 * frames, Z latent width, K steps, S = T − K frames that can be predicted from, M negatives.
 */
import { dot, type Floats, logSumExp } from "./floats.ts";
import { type ObjectiveFigures, overall, scorableFrames, type StepFigures } from "./objective.ts";
import { below } from "./seeded.ts";

/** What the sampled form needs. */
export interface SampledBatch {
  /** N, T, K */
  readonly windows: number;
  readonly frames: number;
  readonly steps: number;
  /** z `[N, T, Z]` */
  readonly latent: Floats;
  /** `[N, S, K, Z]` */
  readonly predictions: Floats;
  /**
   * Rows of z seen as `[N · T, Z]`: `[M]` where they are `shared` by all positions, else `[K, N, S,
   * M]`. One that is the positive itself does not count: it scores −∞.
   */
  readonly negatives: ArrayLike<number>;
  readonly shared: boolean;
}

/** Figures of the sampled form. */
export interface SampledFigures extends ObjectiveFigures {
  /** nce of every position, `[K, N, S]` */
  readonly nceEach: Float64Array;
}

/**
 * The objective over all t with sampled negatives: log-softmax over the positive and its negatives;
 * correct when the positive is the first of the highest.
 *
 * @throws {CpcError} `audio_too_short` when T ≤ K
 * @throws {RangeError} without negatives, which leave nothing to tell apart
 */
export function sampledObjective(
  { windows: N, frames: T, steps: K, latent, predictions, negatives, shared }: SampledBatch,
): SampledFigures {
  const S = scorableFrames({ frames: T, steps: K });
  const Z = latent.length / N / T;
  const M = shared ? negatives.length : negatives.length / (K * N * S);
  if (M < 1) {
    throw new RangeError(`the objective needs at least 1 negative for each position, got ${M}`);
  }
  const nceEach = new Float64Array(K * N * S);
  const scores = new Float64Array(M + 1);
  const steps: StepFigures[] = [];
  for (let k = 1, at = 0; k <= K; k++) {
    let [sum, correct] = [0, 0];
    for (let n = 0; n < N; n++) {
      for (let t = 0; t < S; t++, at++) {
        const own = n * T + t + k;
        const b = ((n * S + t) * K + k - 1) * Z;
        const score = (row: number) => dot(latent, predictions, { a: row * Z, b, width: Z });
        scores[0] = score(own);
        for (let m = 0; m < M; m++) {
          const row = negatives[shared ? m : at * M + m]!;
          scores[m + 1] = row === own ? -Infinity : score(row);
        }
        sum += nceEach[at] = logSumExp(scores) - scores[0];
        if (scores.every((score) => score <= scores[0]!)) correct++;
      }
    }
    steps.push({ k, nce: sum / (N * S), accuracy: correct / (N * S) });
  }
  return { ...overall(steps), nceEach };
}

/**
 * Draws negatives for {@linkcode sampledObjective}, the same for all positions: `count` different
 * rows of `[N · T, Z]`.
 *
 * @throws {RangeError} when there are fewer rows
 */
export function drawNegatives(
  { rows, count }: { rows: number; count: number },
  random: () => number,
): Int32Array {
  if (count > rows) throw new RangeError(`${count} negatives of only ${rows} rows`);
  const drawn = new Set<number>(); // Floyd's sampling without replacement
  for (let last = rows - count; last < rows; last++) {
    const row = below(last + 1, random);
    drawn.add(drawn.has(row) ? last : row);
  }
  return Int32Array.from(drawn);
}
