/**
 * The recurrence of a GRU on WebGPU: all frames in one kernel, and all backwards in another. A
 * workgroup computes one stream; its state stays in the workgroup's memory.
 *
 * Legend: T frames, B streams, H hidden. Sums have one order, so a run repeats to the bit.
 */
import type { AnyTensor, Tensor1D, Tensor2D, Tensor3D, Tf } from "./layers.ts";
import { runKernel, WORKGROUP, workgroupBytes } from "./webgpu_kernel.ts";

/** What a GRU's frames share, and where they begin. */
export interface GruParts {
  readonly weight: Tensor2D; // [H, 3H]
  readonly biasN: Tensor1D; // [H]
  readonly hidden: Tensor2D; // [B, H]
}

/** What {@linkcode gruBackward} needs of the way forward. */
export interface GruTrace {
  /** h before each frame. */
  readonly before: Tensor3D; // [T, B, H]
  /** r, z, n, and what r gates (a). */
  readonly gates: AnyTensor; // [4, T, B, H]
}

const FORWARD = `
  var<workgroup> states: array<f32, 2 * width>;

  fn sigmoidOf(x: f32) -> f32 { return 1.0 / (1.0 + exp(-x)); }
  // by a power that never overflows
  fn tanhOf(x: f32) -> f32 {
    let e = exp(-2.0 * abs(x));
    return sign(x) * (1.0 - e) / (1.0 + e);
  }

  fn run(stream: u32, thread: u32) {
    for (var j = thread; j < width; j += threads) { states[j] = hidden[stream * width + j]; }
    workgroupBarrier();
    for (var t = 0u; t < uniforms.frames; t++) {
      let old = (t % 2u) * width;
      let new_ = width - old;
      let row = t * uniforms.streams + stream;
      let gate = uniforms.frames * uniforms.streams * width;
      for (var j = thread; j < width; j += threads) {
        var sums = vec3<f32>(0.0, 0.0, 0.0);
        for (var i = 0u; i < width; i++) {
          let at = i * 3u * width + j;
          sums += states[old + i] * vec3<f32>(weight[at], weight[at + width], weight[at + 2u * width]);
        }
        let at = row * 3u * width + j;
        let r = sigmoidOf(inputs[at] + sums.x);
        let z = sigmoidOf(inputs[at + width] + sums.y);
        let a = sums.z + biasN[j];
        let n = tanhOf(inputs[at + 2u * width] + r * a);
        let h = states[old + j];
        let next = n + z * (h - n);
        let to = row * width + j;
        before[to] = h;
        output[to] = next;
        gates[to] = r;
        gates[gate + to] = z;
        gates[2u * gate + to] = n;
        gates[3u * gate + to] = a;
        states[new_ + j] = next;
      }
      workgroupBarrier();
    }
  }`;

const BACKWARD = `
  var<workgroup> slopes: array<f32, 3 * width>; // of r, z, a
  var<workgroup> carried: array<f32, width>; // of h, from the frames after

  fn run(stream: u32, thread: u32) {
    for (var j = thread; j < width; j += threads) { carried[j] = 0.0; }
    let gate = uniforms.frames * uniforms.streams * width;
    for (var t = uniforms.frames; t > 0u; t--) {
      let row = (t - 1u) * uniforms.streams + stream;
      for (var j = thread; j < width; j += threads) {
        let at = row * width + j;
        let r = gates[at];
        let z = gates[gate + at];
        let n = gates[2u * gate + at];
        let a = gates[3u * gate + at];
        let dH = dy[at] + carried[j];
        let dZ = dH * (before[at] - n) * (z * (1.0 - z));
        let dN = dH * (1.0 - z) * (1.0 - n * n);
        let dA = dN * r;
        let dR = dN * a * (r * (1.0 - r));
        carried[j] = dH * z;
        slopes[j] = dR;
        slopes[width + j] = dZ;
        slopes[2u * width + j] = dA;
        let to = row * 3u * width + j;
        dInputs[to] = dR;
        dInputs[to + width] = dZ;
        dInputs[to + 2u * width] = dN;
        dRecurrent[to] = dR;
        dRecurrent[to + width] = dZ;
        dRecurrent[to + 2u * width] = dA;
      }
      workgroupBarrier();
      for (var j = thread; j < width; j += threads) {
        var sum = 0.0;
        for (var m = 0u; m < 3u * width; m++) { sum += slopes[m] * transposed[m * width + j]; }
        carried[j] += sum;
      }
      workgroupBarrier();
    }
    for (var j = thread; j < width; j += threads) { dHidden[stream * width + j] = carried[j]; }
  }`;

/** Whether a workgroup's memory holds the states of a GRU so wide: 1,024 on every card. */
export function fitsWorkgroup(tf: Tf, width: number): boolean {
  return 4 * width * Float32Array.BYTES_PER_ELEMENT <= workgroupBytes(tf);
}

/**
 * All frames of a GRU.
 *
 * @param inputs `[T, B, 3H]`: the input's share of r, z, n, and every bias but b_hn
 * @returns h `[T, B, H]` after each frame
 */
export function gruForward(
  tf: Tf,
  inputs: Tensor3D,
  { weight, biasN, hidden }: GruParts,
): GruTrace & { readonly output: Tensor3D } {
  const [frames, streams] = inputs.shape;
  const width = hidden.shape[1];
  const rows = [frames, streams, width];
  const [output, before, gates] = runKernel(tf, {
    name: "gru",
    code: FORWARD,
    constants: { width, threads: WORKGROUP },
    sizes: { frames, streams },
    reads: { inputs, weight, biasN, hidden },
    makes: { output: rows, before: rows, gates: [4, ...rows] },
    groups: streams,
  });
  return { output: output as Tensor3D, before: before as Tensor3D, gates };
}

/**
 * The gradient of {@linkcode gruForward}.
 *
 * @param dy `[T, B, H]`
 * @param weight `[H, 3H]`
 * @returns of the inputs `[T, B, 3H]`, of what the state contributes to r, z, a `[T, B, 3H]`, and
 *   of the first state `[B, H]`
 */
export function gruBackward(
  tf: Tf,
  dy: AnyTensor,
  { before, gates, weight }: GruTrace & { weight: Tensor2D },
): { dInputs: Tensor3D; dRecurrent: Tensor3D; dHidden: Tensor2D } {
  const [frames, streams, width] = before.shape;
  const rows = [frames, streams, 3 * width];
  const [dInputs, dRecurrent, dHidden] = runKernel(tf, {
    name: "gruBackward",
    code: BACKWARD,
    constants: { width, threads: WORKGROUP },
    sizes: { frames, streams },
    reads: { dy, before, gates, transposed: tf.transpose(weight) },
    makes: { dInputs: rows, dRecurrent: rows, dHidden: [streams, width] },
    groups: streams,
  });
  return {
    dInputs: dInputs as Tensor3D,
    dRecurrent: dRecurrent as Tensor3D,
    dHidden: dHidden as Tensor2D,
  };
}
