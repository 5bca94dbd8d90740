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
 * @param options `latent` z `[N, T, Z]`, `predict`: k (1…K) → W_k c_t of all windows and t < S, `[N
 *   · S, Z]`
 * @throws {CpcError} `audio_too_short` when T ≤ K
 */
export function sampledLoss(
  tf: Tf,
  { latent, steps, predict, negatives }: {
    latent: Tensor3D;
    steps: number;
    predict: (k: number) => Tensor2D;
    negatives: NegativeRows;
  },
): SampledLoss {
  const [windows, frames, width] = latent.shape;
  const from = scorableFrames({ frames, steps });
  const rows = tf.reshape(latent, [windows * frames, width]) as Tensor2D;
  const candidates = candidatesOf(tf, rows, negatives);
  const nces: core.Scalar[] = [];
  const accuracies: core.Scalar[] = [];
  for (let k = 1; k <= steps; k++) {
    const prediction = predict(k); // [N · S, Z]
    const target = tf.reshape(tf.slice(latent, [0, k, 0], [windows, from, width]), [
      windows * from,
      width,
    ]);
    const own = Int32Array.from(
      { length: windows * from },
      (_, i) => Math.floor(i / from) * frames + i % from + k,
    );
    const positive = tf.sum(tf.mul(prediction, target), 1, true); // [N · S, 1]
    const others = candidates.map(({ scores }) => scores(prediction, own)); // [N · S, M] each
    const scores = tf.concat([positive, ...others], 1) as Tensor2D;
    nces.push(tf.mean(nceOfFirst(tf, scores)));
    accuracies.push(
      tf.mean(tf.cast(tf.greaterEqual(tf.reshape(positive, [-1]), tf.max(scores, 1)), "float32")),
    );
  }
  const nce = tf.stack(nces) as Tensor1D;
  return { loss: tf.mean(nce), nce, accuracy: tf.stack(accuracies) as Tensor1D };
}

interface Candidates {
  /**
   * predictions `[N · S, Z]` against the negatives: `[N · S, M]`; `own`: each position's positive,
   * `[N · S]`
   */
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
        return tf.add(scores, maskOf(tf, tf.tensor2d(own, [own.length, 1], "int32"), indices));
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
        const scores = tf.matMul(grouped, latents, false, true); // [G, N/G · S, M']
        const masked = tf.add(
          scores,
          maskOf(tf, tf.tensor3d(own, [groups.length, each, 1], "int32"), indices),
        );
        return tf.reshape(masked, [own.length, count]) as Tensor2D;
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

function maskOf(tf: Tf, own: AnyTensor, indices: AnyTensor): AnyTensor {
  return tf.mul(tf.cast(tf.equal(own, indices), "float32"), MASKED);
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
