/**
 * The training objective in TensorFlow.js, with gradients: InfoNCE over all frames t with sampled
 * negatives, the form that `sampledObjective` of `model/sampled_objective.ts` computes in plain
 * loops.
 *
 * Legend: N windows, T frames, Z latent width, K steps, S = T − K frames that are predicted from, M
 * negatives.
 */
import type * as core from "@tensorflow/tfjs-core";
import { scorableFrames } from "../model/objective.ts";
import type { AnyTensor, Tensor1D, Tensor2D, Tensor3D, Tf } from "../model/tfjs/layers.ts";
import { isWebgpu, tensorBytes } from "../model/tfjs/webgpu_kernel.ts";
import { positiveScores } from "./webgpu_positives.ts";

/**
 * Rows of z, seen as `[N · T, Z]`, that serve as negatives. A row that is the positive itself does
 * not count.
 */
export interface NegativeRows {
  /** `[M]`: the same for all positions. */
  readonly batch: Int32Array;
  /** `[G][M']`: its own for each of G groups of N / G windows, equally many in each. */
  readonly groups?: readonly Int32Array[];
}

/** The loss and its parts. */
export interface SampledLoss {
  /** Mean over steps and positions, in nats. */
  readonly loss: core.Scalar;
  /** `[K]`, in nats */
  readonly nce: Tensor1D;
  /** `[K]`: share of positions whose positive scores highest. */
  readonly accuracy: Tensor1D;
}

/** Less than any score, but finite. */
const MASKED = -1e9;

/**
 * The sampled objective.
 *
 * @param options `latent` z `[N, T, Z]`, `predict`: some k of 1…K → their W_k c_t side by side, of
 *   all windows and t < S, `[N · S, k · Z]`; `together`: how many k are computed at once
 * @throws {CpcError} `audio_too_short` when T ≤ K
 */
export function sampledLoss(
  tf: Tf,
  { latent, steps, predict, negatives, together = stepsAtOnce(tf, latent, negatives) }: {
    latent: Tensor3D;
    steps: number;
    predict: (ks: readonly number[]) => Tensor2D;
    negatives: NegativeRows;
    together?: number;
  },
): SampledLoss {
  const [windows, frames, width] = latent.shape;
  const from = scorableFrames({ frames, steps });
  const rows = tf.reshape(latent, [windows * frames, width]) as Tensor2D;
  const candidates = candidatesOf(tf, rows, negatives);
  const nces: Tensor1D[] = [];
  const accuracies: Tensor1D[] = [];
  for (let first = 1; first <= steps; first += together) {
    const ks = Array.from({ length: Math.min(together, steps + 1 - first) }, (_, i) => first + i);
    // rows are of window, position, k
    const prediction: Tensor2D = tf.reshape(predict(ks), [windows * from * ks.length, width]);
    const own = ownRows({ windows, frames, from, ks });
    const positive = positivesOf(tf, prediction, { latent, ks }); // [N · S · k, 1]
    const others = candidates.map(({ scores }) => scores(prediction, own)); // [N · S · k, M] each
    const scores = tf.concat([positive, ...others], 1) as Tensor2D;
    const hits = tf.greaterEqual(tf.reshape(positive, [-1]), tf.max(scores, 1));
    const meanOfEach = (x: AnyTensor) => tf.mean(tf.reshape(x, [-1, ks.length]), 0) as Tensor1D;
    nces.push(meanOfEach(nceOfFirst(tf, scores)));
    accuracies.push(meanOfEach(tf.cast(hits, "float32")));
  }
  const nce = tf.concat(nces);
  return { loss: tf.mean(nce), nce, accuracy: tf.concat(accuracies) };
}

/** A card wants few operations whose tensors it can hold, a CPU ones that fit its caches. */
function stepsAtOnce(
  tf: Tf,
  { shape: [windows, frames, width] }: Tensor3D,
  { batch, groups = [] }: NegativeRows,
): number {
  if (!isWebgpu(tf)) return 1;
  const widest = Math.max(width, 1 + batch.length + (groups[0]?.length ?? 0));
  const bytes = windows * frames * widest * Float32Array.BYTES_PER_ELEMENT; // for one k
  return Math.max(1, Math.floor(tensorBytes(tf) / bytes));
}

/** The row of the latents that is the positive of each window, position and k. */
function ownRows(
  { windows, frames, from, ks }: {
    windows: number;
    frames: number;
    from: number;
    ks: readonly number[];
  },
): Int32Array {
  const own = new Int32Array(windows * from * ks.length);
  for (let window = 0, i = 0; window < windows; window++) {
    for (let t = 0; t < from; t++) {
      for (const k of ks) own[i++] = window * frames + t + k;
    }
  }
  return own;
}

function positivesOf(
  tf: Tf,
  prediction: Tensor2D,
  { latent, ks }: { latent: Tensor3D; ks: readonly number[] },
): Tensor2D {
  if (isWebgpu(tf)) {
    return positiveScores(tf, prediction, { latent, first: ks[0], steps: ks.length });
  }
  const [windows, , width] = latent.shape;
  const from = prediction.shape[0] / windows / ks.length;
  const targets = ks.map((k) => tf.slice(latent, [0, k, 0], [windows, from, width]));
  const target = tf.reshape(tf.concat(targets, 2), prediction.shape);
  return tf.sum(tf.mul(prediction, target), 1, true);
}

interface Candidates {
  /** Predictions `[R, Z]` against the negatives: `[R, M]`; `own`: each row's positive, `[R]`. */
  scores(prediction: Tensor2D, own: Int32Array): Tensor2D;
}

function candidatesOf(tf: Tf, rows: Tensor2D, { batch, groups = [] }: NegativeRows): Candidates[] {
  const all: Candidates[] = [];
  if (batch.length > 0) {
    const latents = rowsAt(tf, rows, batch); // [M, Z]
    const indices = tf.tensor2d(batch, [1, batch.length], "int32");
    all.push({
      scores(prediction, own) {
        const scores = tf.matMul(prediction, latents, false, true);
        return masked(tf, scores, {
          own: tf.tensor2d(own, [own.length, 1], "int32"),
          indices,
        }) as Tensor2D;
      },
    });
  }
  if (groups.length > 0 && groups[0].length > 0) {
    const count = groups[0].length;
    const flat = Int32Array.from(groups.flatMap((group) => [...group]));
    const latents = tf.reshape(rowsAt(tf, rows, flat), [groups.length, count, rows.shape[1]]);
    const indices = tf.tensor3d(flat, [groups.length, 1, count], "int32");
    all.push({
      scores(prediction, own) {
        const each = own.length / groups.length;
        const grouped = tf.reshape(prediction, [groups.length, each, rows.shape[1]]);
        const scores = tf.matMul(grouped, latents, false, true); // [G, R/G, M']
        const others = masked(tf, scores, {
          own: tf.tensor3d(own, [groups.length, each, 1], "int32"),
          indices,
        });
        return tf.reshape(others, [own.length, count]) as Tensor2D;
      },
    });
  }
  return all;
}

/** `tf.gather` of rows as a product, whose gradient every backend has. */
function rowsAt(tf: Tf, rows: Tensor2D, indices: Int32Array): Tensor2D {
  // made on the device, as integers: WebAssembly's floats of this kind are wrong
  const oneHot = tf.cast(tf.oneHot(tf.tensor1d(indices, "int32"), rows.shape[0]), "float32");
  return tf.matMul(oneHot as Tensor2D, rows);
}

/** Takes candidates that are the positive itself out of reach. */
function masked(
  tf: Tf,
  scores: AnyTensor,
  { own, indices }: { own: AnyTensor; indices: AnyTensor },
): AnyTensor {
  const op = tf.customGrad((scores) => ({
    value: tf.add(
      scores as AnyTensor,
      tf.mul(tf.cast(tf.equal(own, indices), "float32"), MASKED),
    ),
    gradFunc: (dy) => dy,
  }));
  return op(scores);
}

/**
 * −log softmax of the first column: `[R, M + 1]` → `[R]`. Its gradient, softmax − one-hot, is
 * written by hand.
 */
function nceOfFirst(tf: Tf, scores: Tensor2D): Tensor1D {
  const op = tf.customGrad((scores, save) => {
    const logSoftmax = tf.logSoftmax(scores as Tensor2D, 1);
    (save as core.GradSaveFunc)([logSoftmax]);
    const [rows, columns] = (scores as Tensor2D).shape;
    const gradFunc = (dy: AnyTensor, saved: AnyTensor[] | core.NamedTensorMap) => {
      const softmax = tf.exp((saved as AnyTensor[])[0]);
      const first = tf.pad(tf.ones([rows, 1]), [[0, 0], [0, columns - 1]]);
      return tf.mul(tf.reshape(dy, [rows, 1]), tf.sub(softmax, first));
    };
    return { value: tf.neg(tf.reshape(tf.slice(logSoftmax, [0, 0], [rows, 1]), [rows])), gradFunc };
  });
  return op(scores) as Tensor1D;
}
