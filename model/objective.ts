/**
 * The training objective in plain loops: InfoNCE with the log-bilinear score z_{t+k}ᵀ W_k c_t.
 *
 * van den Oord et al. 2018 (arXiv:1807.03748); the batch form as the forward pass of Lai's
 * implementation of CPC computes it (one t, negatives from the same frame of the other windows),
 * the sampled form as it is used for training over all t. Legend: N windows, T frames, Z latent
 * width, K steps, S = T − K frames that can be predicted from, M negatives.
 */
import { CpcError } from "../errors.ts";
import { below } from "./seeded.ts";

/** Floats of either precision. */
export type Floats = Float32Array | Float64Array;

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
 * Frames t that a window can be scored at: 0 … the returned number less one.
 *
 * @param options `frames` T and `steps` K
 * @throws {CpcError} `audio_too_short` when no frame has K frames after it
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
 * The frame to score at: the one given, or one drawn evenly by a generator (`t_samples` of the
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

/** @throws {CpcError} `invalid_option` for a batch of one, whose only candidate is the right one */
export function checkWindows(windows: number): void {
  if (windows >= 2) return;
  throw new CpcError(
    "invalid_option",
    `the objective compares windows: a batch needs at least 2, got ${windows}`,
    {
      param: "windows",
    },
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
 * Figures of one matrix of scores, as the original: both softmaxes over dim 1, the accuracy's
 * argmax over dim 0 (the first of equals).
 *
 * @param total `[N, N]`
 */
export function figuresOf(total: Float64Array, k: number): StepFigures {
  const N = Math.sqrt(total.length);
  const best = new Float64Array(N).fill(-Infinity); // of column j over the rows so far
  const bestRow = new Int32Array(N);
  let nce = 0;
  for (let i = 0; i < N; i++) {
    const row = total.subarray(i * N, (i + 1) * N);
    const logSum = logSumExp(row);
    nce += logSum - row[i];
    for (let j = 0; j < N; j++) {
      const softmax = Math.exp(row[j] - logSum);
      if (softmax > best[j]) [best[j], bestRow[j]] = [softmax, i];
    }
  }
  const correct = bestRow.reduce((sum, i, j) => sum + (i === j ? 1 : 0), 0);
  return { k, nce: nce / N, accuracy: correct / N };
}

/**
 * The objective at one frame: every step's figures, and what the original reports of them.
 *
 * @throws {CpcError} `invalid_option` for fewer than 2 windows
 */
export function objective(batch: ObjectiveBatch): ObjectiveFigures {
  checkWindows(batch.windows);
  return overall(
    Array.from({ length: batch.steps }, (_, i) => figuresOf(totalOf(batch, i + 1), i + 1)),
  );
}

/**
 * Steps' figures with the original's summary: mean nce (its sum / −N·K), and the accuracy of the
 * last step.
 */
export function overall(steps: readonly StepFigures[]): ObjectiveFigures {
  const nce = steps.reduce((sum, step) => sum + step.nce, 0) / steps.length;
  return { nce, accuracy: steps[steps.length - 1].accuracy, steps };
}

/**
 * Means of the figures of several frames, or of CDCK6's two networks: its nce over 2·N·K scores,
 * its accuracy over 2·N.
 */
export function meanFigures(each: readonly ObjectiveFigures[]): ObjectiveFigures {
  const mean = (of: (figures: ObjectiveFigures) => number) =>
    each.reduce((sum, figures) => sum + of(figures), 0) / each.length;
  return overall(
    each[0].steps.map(({ k }, i) => ({
      k,
      nce: mean(({ steps }) => steps[i].nce),
      accuracy: mean(({ steps }) => steps[i].accuracy),
    })),
  );
}

/** The forward pass of the original, for a caller that has the network. */
export interface ForwardInput<Hidden> {
  /** N, T, K */
  readonly windows: number;
  readonly frames: number;
  readonly steps: number;
  /** z `[N, T, Z]` */
  readonly latent: Floats;
  /** The state handed in, and a frame or a generator to draw it by. */
  readonly hidden: Hidden;
  readonly t?: number;
  readonly random: () => number;
  /**
   * Runs the context network over z_0 … z_t `[N, t + 1, Z]` from a state: c_t `[N, C]` of its last
   * layer, and the state after it.
   */
  readonly context: (
    latent: Floats,
    hidden: Hidden,
  ) => { readonly last: Floats; readonly hidden: Hidden };
  /** c_t `[N, C]` → `[N, K, Z]` */
  readonly predict: (last: Floats) => Floats;
}

/**
 * One t drawn or given, the context up to it from the state handed in, K predictions, in-batch
 * negatives.
 *
 * @returns the figures, t, and the state at t to hand in next
 * @throws {CpcError} as {@linkcode objective} and {@linkcode chooseFrame}
 */
export function originalForward<Hidden>(
  input: ForwardInput<Hidden>,
): ObjectiveFigures & { t: number; hidden: Hidden } {
  const { windows: N, frames: T, steps: K, latent, context, predict } = input;
  checkWindows(N);
  const t = chooseFrame(input, input);
  const { last, hidden } = context(
    framesOf(latent, { windows: N, frames: T, from: 0, to: t + 1 }),
    input.hidden,
  );
  const future = framesOf(latent, { windows: N, frames: T, from: t + 1, to: t + 1 + K });
  return { ...objective({ windows: N, steps: K, future, predictions: predict(last) }), t, hidden };
}

/** Frames `from … to` (exclusive) of `[N, T, Z]`: `[N, to − from, Z]`. */
export function framesOf(
  latent: Floats,
  { windows: N, frames: T, from, to }: {
    windows: number;
    frames: number;
    from: number;
    to: number;
  },
): Float64Array {
  const Z = latent.length / N / T;
  const out = new Float64Array(N * (to - from) * Z);
  for (let n = 0; n < N; n++) {
    out.set(latent.subarray((n * T + from) * Z, (n * T + to) * Z), n * (to - from) * Z);
  }
  return out;
}

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
          const row = negatives[shared ? m : at * M + m];
          scores[m + 1] = row === own ? -Infinity : score(row);
        }
        sum += nceEach[at] = logSumExp(scores) - scores[0];
        if (scores.every((score) => score <= scores[0])) correct++;
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

/** log Σ eˣ; −∞ is allowed, save for all of them. */
export function logSumExp(values: Floats): number {
  let max = -Infinity;
  for (const x of values) if (x > max) max = x;
  let sum = 0;
  for (const x of values) sum += Math.exp(x - max);
  return max + Math.log(sum);
}

function dot(
  left: Floats,
  right: Floats,
  { a, b, width }: { a: number; b: number; width: number },
): number {
  let [even, odd] = [0, 0];
  let i = 0;
  for (; i + 1 < width; i += 2) {
    even += left[a + i] * right[b + i];
    odd += left[a + i + 1] * right[b + i + 1];
  }
  if (i < width) even += left[a + i] * right[b + i];
  return even + odd;
}
