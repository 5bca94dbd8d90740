/**
 * Batch norm on WebGPU: three kernels forward, three back, where TensorFlow.js's ops are 13 and 21
 * and turn the rows over to sum a column. Sums have one order, so a run repeats to the bit.
 *
 * Legend: N rows, C channels, P parts of the rows.
 */
import type * as core from "@tensorflow/tfjs-core";
import { NORM_EPS } from "../architecture.ts";
import type { AnyTensor, BatchNorm, Tensor1D, Tensor2D, Tf } from "./layers.ts";
import { runKernel, WORKGROUP } from "./webgpu_kernel.ts";

/** Rows that one thread sums. */
const PART_ROWS = 256;

/** For each part: the mean of its rows, and the sum of the squares around it (Welford 1962). */
const PART_MOMENTS = `
  fn run(group: u32, thread: u32) {
    let part = group / uniforms.blocks;
    let column = group % uniforms.blocks * threads + thread;
    if (column >= uniforms.channels) { return; }
    var mean = 0.0;
    var squares = 0.0;
    var count = 0.0;
    for (var row = part * partRows; row < min((part + 1u) * partRows, uniforms.rows); row++) {
      let value = x[row * uniforms.channels + column];
      count += 1.0;
      let away = value - mean;
      mean += away / count;
      squares += away * (value - mean);
    }
    parts[part * 2u * uniforms.channels + column] = mean;
    parts[(part * 2u + 1u) * uniforms.channels + column] = squares;
  }`;

/** Joins the parts (Chan et al. 1979). */
const MOMENTS = `
  fn run(group: u32, thread: u32) {
    let column = group * threads + thread;
    if (column >= uniforms.channels) { return; }
    var joined = 0.0;
    var squares = 0.0;
    var count = 0.0;
    for (var part = 0u; part < uniforms.parts; part++) {
      let more = f32(min(partRows, uniforms.rows - part * partRows));
      let away = parts[part * 2u * uniforms.channels + column] - joined;
      let share = more / (count + more);
      joined += away * share;
      squares += parts[(part * 2u + 1u) * uniforms.channels + column] + away * away * count * share;
      count += more;
    }
    let biased = squares / count;
    let inverse = inverseSqrt(biased + uniforms.epsilon);
    mean[column] = joined;
    variance[column] = biased;
    invStd[column] = inverse;
    scale[column] = gain[column] * inverse;
  }`;

/** A NaN stays one, so that the run finds it. */
const NORMALIZE = (activate: boolean) => `
  fn run(group: u32, thread: u32) {
    let i = group * threads + thread;
    if (i >= uniforms.rows * uniforms.channels) { return; }
    let column = i % uniforms.channels;
    let value = x[i] * scale[column] + (shift[column] - mean[column] * scale[column]);
    y[i] = ${activate ? "select(value, 0.0, value < 0.0)" : "value"};
  }`;

/** The gradient before ReLU. */
const BEFORE_RELU = (activate: boolean) => `
  fn gradientAt(i: u32) -> f32 { return ${
  activate ? "select(dy[i], 0.0, y[i] <= 0.0)" : "dy[i]"
}; }`;

const PART_SUMS = `
  fn run(group: u32, thread: u32) {
    let part = group / uniforms.blocks;
    let column = group % uniforms.blocks * threads + thread;
    if (column >= uniforms.channels) { return; }
    let centre = mean[column];
    var sum = 0.0;
    var product = 0.0;
    for (var row = part * partRows; row < min((part + 1u) * partRows, uniforms.rows); row++) {
      let i = row * uniforms.channels + column;
      let d = gradientAt(i);
      sum += d;
      product += d * (x[i] - centre);
    }
    parts[part * 2u * uniforms.channels + column] = sum;
    parts[(part * 2u + 1u) * uniforms.channels + column] = product;
  }`;

const SUMS = `
  fn run(group: u32, thread: u32) {
    let column = group * threads + thread;
    if (column >= uniforms.channels) { return; }
    var sum = 0.0;
    var product = 0.0;
    for (var part = 0u; part < uniforms.parts; part++) {
      sum += parts[part * 2u * uniforms.channels + column];
      product += parts[(part * 2u + 1u) * uniforms.channels + column];
    }
    let toGain = product * invStd[column];
    let perRow = scale[column] / f32(uniforms.rows);
    let through = -perRow * invStd[column] * toGain;
    dGain[column] = toGain;
    dShift[column] = sum;
    slope[column] = through;
    constant[column] = -perRow * sum - through * mean[column];
  }`;

const TO_ROWS = `
  fn run(group: u32, thread: u32) {
    let i = group * threads + thread;
    if (i >= uniforms.rows * uniforms.channels) { return; }
    let column = i % uniforms.channels;
    dx[i] = gradientAt(i) * scale[column] + x[i] * slope[column] + constant[column];
  }`;

/** What `batchNorm` of `layers.ts` computes. @param x `[N, C]` */
export function batchNormInKernels(
  tf: Tf,
  x: Tensor2D,
  { gain, shift, activate, onMoments }: BatchNorm,
): Tensor2D {
  const [rows, channels] = x.shape;
  const parts = Math.ceil(rows / PART_ROWS);
  const blocks = Math.ceil(channels / WORKGROUP);
  const kernel = {
    constants: { threads: WORKGROUP, partRows: PART_ROWS },
    sizes: { rows, channels, parts, blocks },
  };
  const [eachPart, eachColumn] = [{ ...kernel, groups: parts * blocks }, {
    ...kernel,
    groups: blocks,
  }];
  const eachNumber = { ...kernel, groups: Math.ceil(x.size / WORKGROUP) };
  const suffix = activate ? "Relu" : "";
  const op = tf.customGrad((...args) => {
    const [x, gain, shift] = args as [Tensor2D, Tensor1D, Tensor1D];
    const save = args[3] as core.GradSaveFunc;
    const [ofParts] = runKernel(tf, {
      ...eachPart,
      name: "partMoments",
      code: PART_MOMENTS,
      reads: { x },
      makes: { parts: [parts, 2, channels] },
    });
    const [mean, variance, invStd, scale] = runKernel(tf, {
      ...eachColumn,
      name: "moments",
      code: MOMENTS,
      factors: { epsilon: NORM_EPS },
      reads: { parts: ofParts, gain },
      makes: { mean: [channels], variance: [channels], invStd: [channels], scale: [channels] },
    }) as Tensor1D[];
    const [y] = runKernel(tf, {
      ...eachNumber,
      name: `normalize${suffix}`,
      code: NORMALIZE(activate),
      reads: { x, mean, scale, shift },
      makes: { y: x.shape },
    });
    onMoments({ mean, variance, rows });
    save([x, mean, invStd, scale, ...(activate ? [y] : [])]);
    return { value: y, gradFunc: (dy, saved) => backward(dy, saved as AnyTensor[]) };
  });

  function backward(dy: AnyTensor, [x, mean, invStd, scale, y]: AnyTensor[]): AnyTensor[] {
    const reads: Record<string, AnyTensor> = activate ? { dy, x, y } : { dy, x };
    const [ofParts] = runKernel(tf, {
      ...eachPart,
      name: `partSums${suffix}`,
      code: BEFORE_RELU(activate) + PART_SUMS,
      reads: { ...reads, mean },
      makes: { parts: [parts, 2, channels] },
    });
    const [dGain, dShift, slope, constant] = runKernel(tf, {
      ...eachColumn,
      name: "normSums",
      code: SUMS,
      reads: { parts: ofParts, mean, invStd, scale },
      makes: { dGain: [channels], dShift: [channels], slope: [channels], constant: [channels] },
    });
    const [dx] = runKernel(tf, {
      ...eachNumber,
      name: `normToRows${suffix}`,
      code: BEFORE_RELU(activate) + TO_ROWS,
      reads: { ...reads, scale, slope, constant },
      makes: { dx: x.shape },
    });
    return [dx, dGain, dShift];
  }
  return op(x, gain, shift) as Tensor2D;
}
