/**
 * Trainable layers of the encoder in TensorFlow.js ops: convolution, norms, ReLU.
 *
 * Legend: B windows or streams, T rows of output, C channels, N = B · T rows in all. Rows are
 * channels-last, so a convolution whose kernel is a whole number of strides is a matrix product
 * over blocks of one stride: no im2col, and the fast path of every backend. Gradients are written
 * by hand where autograd would read large tensors needlessly; each is tested against finite
 * differences.
 */
import type * as core from "@tensorflow/tfjs-core";
import { type ConvPlan, NORM_EPS } from "../architecture.ts";

/** The TensorFlow.js library, whichever backend was loaded. */
export type Tf = typeof core;
/** A `[C]` or scalar variable or tensor. */
export type Tensor1D = core.Tensor1D;
/** Rows. */
export type Tensor2D = core.Tensor2D;
/** Batches of rows. */
export type Tensor3D = core.Tensor3D;
/** Anything. */
export type AnyTensor = core.Tensor;

/**
 * The statistics of a batch norm. As in PyTorch, running statistics use the unbiased variance,
 * which follows from `rows`.
 */
export interface Moments {
  readonly mean: Tensor1D; // [C]
  readonly variance: Tensor1D; // [C], biased
  readonly rows: number;
}

/**
 * max(0, x). The gradient uses sign(y) as its mask, in one pass; the library's own uses `step`,
 * which is 20 times slower in tfjs-node.
 */
export function relu<T extends AnyTensor>(tf: Tf, x: T): T {
  const op = tf.customGrad((x, save) => {
    const y = tf.relu(x as AnyTensor);
    (save as core.GradSaveFunc)([y]);
    return { value: y, gradFunc: (dy, saved) => tf.mul(dy, tf.sign((saved as AnyTensor[])[0])) };
  });
  return op(x) as T;
}

/**
 * Cuts a signal into blocks of one stride, with the zeros of its padding. Output row o sees blocks
 * o to o + blocks − 1.
 *
 * @param x `[B, rows, C]`
 * @returns `[B, T + blocks − 1, stride · C]`
 */
export function strideBlocks(tf: Tf, x: Tensor3D, conv: ConvPlan): Tensor3D {
  const [batch, rows, channels] = x.shape;
  const { kernel, stride, padding, frontTaps, blocks } = conv;
  const outRows = Math.floor((rows + 2 * padding - kernel) / stride) + 1;
  const wanted = (outRows + blocks - 1) * stride;
  const before = padding + frontTaps;
  const after = wanted - before - rows; // negative: rows that no output sees
  const kept = after < 0 ? tf.slice(x, [0, 0, 0], [batch, rows + after, channels]) : x;
  const padded = before > 0 || after > 0
    ? tf.pad(kept, [[0, 0], [before, Math.max(0, after)], [0, 0]])
    : kept;
  return tf.reshape(padded, [batch, outRows + blocks - 1, stride * channels]);
}

/** Every output row's whole window as one row: `[B, T + blocks − 1, D]` → `[B · T, blocks · D]`. */
export function windows(tf: Tf, x: Tensor3D, blocks: number): Tensor2D {
  const [batch, rows, width] = x.shape;
  const outRows = rows - blocks + 1;
  if (blocks === 1) return tf.reshape(x, [batch * outRows, width]);
  const parts = Array.from(
    { length: blocks },
    (_, b) => tf.slice(x, [0, b, 0], [batch, outRows, width]),
  );
  return tf.reshape(tf.concat(parts, 2), [batch * outRows, blocks * width]);
}

/**
 * The product of every window with the weight, without writing the windows out: each block meets
 * all its weights in one product, and the shifted results are added. It has half the memory traffic
 * of {@linkcode windows}, forward and backward.
 *
 * @param x `[B, T + blocks − 1, D]`
 * @param weight `[blocks · D, out]`
 * @returns `[B · T, out]`
 */
export function blockProduct(tf: Tf, x: Tensor3D, weight: Tensor2D, blocks: number): Tensor2D {
  const [batch, rows, width] = x.shape;
  const [outRows, out] = [rows - blocks + 1, weight.shape[1]];
  if (blocks === 1) return tf.matMul(tf.reshape(x, [batch * rows, width]), weight);
  const op = tf.customGrad((x, weight, save) => {
    const flat = tf.reshape(x as Tensor3D, [batch * rows, width]);
    const side = sideBySide(tf, weight as Tensor2D, blocks); // [D, blocks · out]
    const all = tf.reshape(tf.matMul(flat, side), [batch, rows, blocks * out]);
    const shifted = Array.from(
      { length: blocks },
      (_, b) => tf.slice(all, [0, b, b * out], [batch, outRows, out]),
    );
    (save as core.GradSaveFunc)([flat, side]);
    const gradFunc = (dy: AnyTensor, saved: AnyTensor[] | core.NamedTensorMap) => {
      const [flat, side] = saved as Tensor2D[];
      const dy3 = tf.reshape(dy, [batch, outRows, out]) as Tensor3D;
      const parts = Array.from(
        { length: blocks },
        (_, b) => tf.pad(dy3, [[0, 0], [b, blocks - 1 - b], [0, 0]]),
      );
      const dAll = tf.reshape(tf.concat(parts, 2), [batch * rows, blocks * out]);
      const dSide = tf.matMul(flat, dAll, true); // [D, blocks · out]
      const dWeight = tf.reshape(tf.transpose(tf.reshape(dSide, [width, blocks, out]), [1, 0, 2]), [
        blocks * width,
        out,
      ]);
      return [tf.reshape(tf.matMul(dAll, side, false, true), [batch, rows, width]), dWeight];
    };
    return {
      value: tf.reshape(shifted.reduce((sum, part) => tf.add(sum, part)), [batch * outRows, out]),
      gradFunc,
    };
  });
  return op(x, weight) as Tensor2D;
}

/** `[blocks · D, out]` → `[D, blocks · out]`. */
function sideBySide(tf: Tf, weight: Tensor2D, blocks: number): Tensor2D {
  const [height, out] = weight.shape;
  const width = height / blocks;
  return tf.reshape(tf.transpose(tf.reshape(weight, [blocks, width, out]), [1, 0, 2]), [
    width,
    blocks * out,
  ]);
}

/** How rows are normalised. */
export interface BatchNorm {
  readonly gain: Tensor1D; // [C]
  readonly shift: Tensor1D; // [C]
  /** Whether ReLU follows. */
  readonly activate: boolean;
  /** Receives the statistics, for the running averages. */
  onMoments(moments: Moments): void;
}

/**
 * Batch norm over the given rows, then ReLU if asked: (x − mean) / √(variance + eps) · gain +
 * shift, mean and variance of these rows. Ioffe and Szegedy 2015 (arXiv:1502.03167), its backward
 * pass in closed form.
 *
 * @param x `[N, C]`
 */
export function batchNorm(
  tf: Tf,
  x: Tensor2D,
  { gain, shift, activate, onMoments }: BatchNorm,
): Tensor2D {
  const rows = x.shape[0];
  const op = tf.customGrad((x, gain, shift, save) => {
    const mean = tf.mean(x as Tensor2D, 0) as Tensor1D;
    const variance = tf.mean(tf.squaredDifference(x as Tensor2D, mean), 0) as Tensor1D;
    onMoments({ mean, variance, rows });
    const invStd = tf.rsqrt(tf.add(variance, NORM_EPS));
    const scale = tf.mul(gain as Tensor1D, invStd);
    const offset = tf.sub(shift as Tensor1D, tf.mul(mean, scale));
    const affine = tf.add(tf.mul(x as Tensor2D, scale), offset);
    const y = activate ? tf.relu(affine) : affine;
    (save as core.GradSaveFunc)(
      activate ? [x as AnyTensor, mean, invStd, scale, y] : [x as AnyTensor, mean, invStd, scale],
    );
    const gradFunc = (dy: AnyTensor, saved: AnyTensor[] | core.NamedTensorMap) => {
      const [x, mean, invStd, scale, y] = saved as AnyTensor[];
      const d = activate ? tf.mul(dy, tf.sign(y)) : dy; // [N, C]
      const dShift = tf.sum(d, 0); // [C]
      const dGain = tf.mul(tf.sub(tf.sum(tf.mul(d, x), 0), tf.mul(mean, dShift)), invStd); // [C]
      // [C]: dx/dx through the variance
      const slope = tf.mul(tf.mul(scale, invStd), tf.mul(dGain, -1 / rows));
      const constant = tf.sub(tf.mul(tf.mul(scale, dShift), -1 / rows), tf.mul(slope, mean)); // [C]
      const dx = tf.add(tf.add(tf.mul(d, scale), tf.mul(x, slope)), constant);
      return [dx, dGain, dShift];
    };
    return { value: y, gradFunc };
  });
  return op(x, gain, shift) as Tensor2D;
}

/**
 * Mean and variance of the rows x · weight + bias, from the covariance of x. For a first layer of
 * ten columns, the statistics cost next to nothing, and batch norm folds into the weight before the
 * product is computed.
 *
 * @param x `[N, D]`
 * @param weight `[D, C]`
 */
export function momentsOfProduct(tf: Tf, x: Tensor2D, weight: Tensor2D): Moments {
  const rows = x.shape[0];
  const mean = tf.mean(x, 0, true); // [1, D]
  const centred = tf.sub(x, mean);
  const covariance = tf.div(tf.matMul(centred, centred, true), rows) as Tensor2D; // [D, D]
  return {
    mean: tf.reshape(tf.matMul(mean as Tensor2D, weight), [-1]),
    variance: tf.sum(tf.mul(weight, tf.matMul(covariance, weight)), 0),
    rows,
  };
}

/**
 * ChannelNorm of facebookresearch/CPC_audio: each row over its channels, with the unbiased
 * variance.
 *
 * @param x `[N, C]`
 */
export function channelNorm(
  tf: Tf,
  x: Tensor2D,
  { gain, shift }: { gain: Tensor1D; shift: Tensor1D },
): Tensor2D {
  const centred = tf.sub(x, tf.mean(x, 1, true));
  const variance = tf.div(tf.sum(tf.square(centred), 1, true), x.shape[1] - 1);
  return tf.add(tf.mul(tf.mul(centred, tf.rsqrt(tf.add(variance, NORM_EPS))), gain), shift);
}
