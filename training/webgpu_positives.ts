/** The scores of positives on WebGPU, for all k at once: no target is written out. */
import type * as core from "@tensorflow/tfjs-core";
import type { AnyTensor, Tensor2D, Tensor3D, Tf } from "../model/tfjs/layers.ts";
import { runKernel, WORKGROUP } from "../model/tfjs/webgpu_kernel.ts";

/** `latentOf`: the row of the latents that is row i's positive. Row i predicts for k = first … */
const INDICES = `
  fn latentOf(row: u32) -> u32 {
    let at = row / uniforms.steps;
    return at / uniforms.positions * uniforms.frames + at % uniforms.positions +
      uniforms.first + row % uniforms.steps;
  }`;

const SCORES = `
  var<workgroup> shares: array<f32, threads>;
  fn run(row: u32, thread: u32) {
    let start = latentOf(row) * uniforms.width;
    var sum = 0.0;
    for (var j = thread; j < uniforms.width; j += threads) {
      sum += prediction[row * uniforms.width + j] * latent[start + j];
    }
    shares[thread] = sum;
    for (var half = threads / 2u; half > 0u; half /= 2u) {
      workgroupBarrier();
      if (thread < half) { shares[thread] += shares[thread + half]; }
    }
    if (thread == 0u) { scores[row] = shares[0]; }
  }`;

const TO_PREDICTION = `
  fn run(group: u32, thread: u32) {
    let i = group * threads + thread;
    if (i >= uniforms.rows * uniforms.width) { return; }
    let row = i / uniforms.width;
    dPrediction[i] = dy[row] * latent[latentOf(row) * uniforms.width + i % uniforms.width];
  }`;

const TO_LATENT = `
  fn run(group: u32, thread: u32) {
    let i = group * threads + thread;
    let all = uniforms.rows / uniforms.steps / uniforms.positions * uniforms.frames;
    if (i >= all * uniforms.width) { return; }
    let frame = i / uniforms.width % uniforms.frames;
    let before = i / uniforms.width / uniforms.frames * uniforms.positions;
    var sum = 0.0;
    for (var n = 0u; n < uniforms.steps; n++) {
      let k = uniforms.first + n;
      if (frame >= k && frame - k < uniforms.positions) {
        let row = (before + frame - k) * uniforms.steps + n;
        sum += dy[row] * prediction[row * uniforms.width + i % uniforms.width];
      }
    }
    dLatent[i] = sum;
  }`;

/**
 * Each prediction times its positive.
 *
 * @param prediction `[N · S · K, Z]`, of window, position, k
 * @param options `latent` `[N, T, Z]`; `first`: the least k, of `steps` K consecutive ones
 * @returns `[N · S · K, 1]`
 */
export function positiveScores(
  tf: Tf,
  prediction: Tensor2D,
  { latent, first, steps }: { latent: Tensor3D; first: number; steps: number },
): Tensor2D {
  const [rows, width] = prediction.shape;
  const [windows, frames] = latent.shape;
  const kernel = {
    constants: { threads: WORKGROUP },
    sizes: { rows, width, frames, steps, first, positions: rows / windows / steps },
  };
  const op = tf.customGrad((...args) => {
    const [prediction, latent] = args as AnyTensor[];
    const save = args[2] as core.GradSaveFunc;
    const [scores] = runKernel(tf, {
      ...kernel,
      name: "positives",
      code: INDICES + SCORES,
      reads: { prediction, latent },
      makes: { scores: [rows, 1] },
      groups: rows,
    });
    save([prediction, latent]);
    return {
      value: scores,
      gradFunc: (dy, saved) => {
        const [prediction, latent] = saved as AnyTensor[];
        const [dPrediction] = runKernel(tf, {
          ...kernel,
          name: "positivesToPrediction",
          code: INDICES + TO_PREDICTION,
          reads: { dy, latent },
          makes: { dPrediction: prediction.shape },
          groups: Math.ceil(prediction.size / WORKGROUP),
        });
        const [dLatent] = runKernel(tf, {
          ...kernel,
          name: "positivesToLatent",
          code: TO_LATENT,
          reads: { dy, prediction },
          makes: { dLatent: latent.shape },
          groups: Math.ceil(latent.size / WORKGROUP),
        });
        return [dPrediction, dLatent];
      },
    };
  });
  return op(prediction, latent) as Tensor2D;
}
