/**
 * The model as plain loops: the truth that every engine is tested against. Whole signals in,
 * float64 inside, nothing clever.
 *
 * van den Oord et al. 2018, "Representation Learning with Contrastive Predictive Coding"
 * (arXiv:1807.03748); layers as PyTorch defines Conv1d, BatchNorm1d (evaluation), GRU, LSTM and
 * Linear; ChannelNorm as in facebookresearch/CPC_audio.
 */
import { CpcError } from "../errors.ts";
import {
  type ConvSpec,
  convSpecs,
  delayOf,
  minimumSamples,
  NORM_EPS,
  offlineFrames,
} from "./architecture.ts";
import { modelDims, tensorOf, type Weights } from "./weights.ts";

/** Rows of features: `data` is `[frames, width]`, row-major. */
export interface Rows {
  readonly frames: number;
  readonly width: number;
  readonly data: Float64Array;
}

/** What the whole model gives for one signal. */
export interface ReferenceOutput {
  /** z `[T, Z]`. */
  readonly latent: Rows;
  /** c `[T, C]`: the output layer of the context network. */
  readonly context: Rows;
  /** The last layer `[T, C]`: what predictions are made from. */
  readonly hidden: Rows;
}

/**
 * Runs encoder and context network over a whole signal.
 *
 * @param samples mono at 16 kHz, before `input_scale`
 * @throws {CpcError} `audio_too_short` below one frame
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { referenceForward } from "./reference.ts";
 * import { loadWeights } from "./weights.ts";
 *
 * const weights = await loadWeights("weights/cpc-small");
 * const { context } = referenceForward(weights, new Float32Array(800));
 * assert.equal(context.frames, 5);
 * ```
 */
export function referenceForward(weights: Weights, samples: Float32Array): ReferenceOutput {
  const { config } = weights;
  if (offlineFrames(config, samples.length) < 1) {
    throw new CpcError(
      "audio_too_short",
      `one frame needs ${minimumSamples(config)} samples at 16 kHz, got ${samples.length}`,
    );
  }
  const latent = referenceEncoder(weights, samples);
  const outputs = referenceContext(weights, latent);
  const { layers, output_layer = layers } = config.context;
  return { latent, context: outputs[output_layer - 1]!, hidden: outputs[layers - 1]! };
}

/** x `[samples]` → z `[T, Z]`. */
function referenceEncoder(weights: Weights, samples: Float32Array): Rows {
  const scale = weights.config.input_scale;
  const delay = delayOf(weights.config);
  const data = new Float64Array(delay + samples.length);
  samples.forEach((x, i) => data[delay + i] = x * scale);
  let rows: Rows = { frames: data.length, width: 1, data };
  let skip = rows;
  for (const spec of convSpecs(weights.config)) {
    if (spec.role === "first") skip = rows;
    rows = norm(weights, conv(weights, rows, spec), spec);
    if (spec.role === "second") skip.data.forEach((x, i) => rows.data[i]! += x);
    rows.data.forEach((x, i) => rows.data[i] = Math.max(0, x)); // ReLU
  }
  return rows;
}

function conv(weights: Weights, input: Rows, spec: ConvSpec): Rows {
  const weight = tensorOf(weights, `${spec.prefix}.weight`).data; // [out, in, kernel]
  const bias = weights.tensors.get(`${spec.prefix}.bias`)?.data;
  const { kernel, stride, padding, inChannels, outChannels } = spec;
  const frames = Math.floor((input.frames + 2 * padding - kernel) / stride) + 1;
  const data = new Float64Array(frames * outChannels); // [frames, out]
  const window = new Float64Array(inChannels * kernel); // [in, kernel]
  for (let t = 0; t < frames; t++) {
    for (let j = 0; j < kernel; j++) {
      const row = t * stride - padding + j;
      const isInside = row >= 0 && row < input.frames; // zero padding
      for (let c = 0; c < inChannels; c++) {
        window[c * kernel + j] = isInside ? input.data[row * inChannels + c]! : 0;
      }
    }
    data.set(affine(weight, bias, window), t * outChannels);
  }
  return { frames, width: outChannels, data };
}

function norm(weights: Weights, rows: Rows, spec: ConvSpec): Rows {
  if (spec.norm === "none") return rows;
  const part = (name: string) => tensorOf(weights, `${spec.normPrefix}.${name}`).data; // [C]
  const [gain, shift] = [part("weight"), part("bias")];
  const { width, data } = rows;
  if (spec.norm === "batch") {
    const [mean, variance] = [part("running_mean"), part("running_var")];
    data.forEach((x, i) => {
      const c = i % width;
      data[i] = (x - mean[c]!) / Math.sqrt(variance[c]! + NORM_EPS) * gain[c]! + shift[c]!;
    });
    return rows;
  }
  // ChannelNorm: over the channels of one frame, variance unbiased
  for (let t = 0; t < rows.frames; t++) {
    const row = data.subarray(t * width, (t + 1) * width);
    const mean = row.reduce((sum, x) => sum + x, 0) / width;
    const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (width - 1);
    row.forEach((x, c) =>
      row[c] = (x - mean) / Math.sqrt(variance + NORM_EPS) * gain[c]! + shift[c]!
    );
  }
  return rows;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** z `[T, Z]` → every layer's output `[T, H]`, from a zero state. */
function referenceContext(weights: Weights, latent: Rows): Rows[] {
  const { hidden, layers, type } = weights.config.context;
  const outputs: Rows[] = [];
  let input = latent;
  for (let n = 0; n < layers; n++) {
    const part = (name: string) => tensorOf(weights, `context.${name}_l${n}`).data;
    const [wi, wh] = [part("weight_ih"), part("weight_hh")];
    const [bi, bh] = [part("bias_ih"), part("bias_hh")];
    const data = new Float64Array(input.frames * hidden); // [T, H]
    let h = new Float64Array(hidden);
    let cell = new Float64Array(hidden);
    for (let t = 0; t < input.frames; t++) {
      // [gates · H]
      const gi = affine(wi, bi, input.data.subarray(t * input.width, (t + 1) * input.width));
      const gh = affine(wh, bh, h); // [gates · H]
      const next = new Float64Array(hidden);
      const nextCell = new Float64Array(hidden);
      for (let i = 0; i < hidden; i++) {
        const gate = (g: number) => gi[g * hidden + i]! + gh[g * hidden + i]!;
        if (type === "gru") { // gates r, z, n
          const [r, z] = [sigmoid(gate(0)), sigmoid(gate(1))];
          const n = Math.tanh(gi[2 * hidden + i]! + r * gh[2 * hidden + i]!);
          next[i] = (1 - z) * n + z * h[i]!;
        } else { // gates i, f, g, o
          nextCell[i] = sigmoid(gate(1)) * cell[i]! + sigmoid(gate(0)) * Math.tanh(gate(2));
          next[i] = sigmoid(gate(3)) * Math.tanh(nextCell[i]!);
        }
      }
      [h, cell] = [next, nextCell];
      data.set(h, t * hidden);
    }
    input = { frames: input.frames, width: hidden, data };
    outputs.push(input);
  }
  return outputs;
}

/**
 * weight `[out, in]` · x `[in]` + bias `[out]`, four outputs at a time: a processor adds to four
 * sums as fast as to one.
 */
function affine(
  weight: Float32Array,
  bias: Float32Array | undefined,
  x: Float64Array,
): Float64Array {
  const length = x.length;
  const out = weight.length / length;
  const y = bias ? Float64Array.from(bias) : new Float64Array(out);
  let o = 0;
  for (; o + 4 <= out; o += 4) {
    let [a, b, c, d] = [y[o]!, y[o + 1]!, y[o + 2]!, y[o + 3]!];
    for (let i = 0, at = o * length; i < length; i++, at++) {
      const value = x[i]!;
      a += weight[at]! * value;
      b += weight[at + length]! * value;
      c += weight[at + 2 * length]! * value;
      d += weight[at + 3 * length]! * value;
    }
    y[o] = a;
    y[o + 1] = b;
    y[o + 2] = c;
    y[o + 3] = d;
  }
  for (; o < out; o++) {
    for (let i = 0; i < length; i++) y[o]! += weight[o * length + i]! * x[i]!;
  }
  return y;
}

/**
 * Predictions of future latents: row t holds W_k c_t for k = 1…K.
 *
 * @param hidden `[T, C]` of {@linkcode referenceForward}
 * @returns `[T, K · Z]`
 */
export function referencePredictions(weights: Weights, hidden: Rows): Rows {
  const { latent, steps } = modelDims(weights.config);
  const data = new Float64Array(hidden.frames * steps * latent);
  for (let t = 0; t < hidden.frames; t++) {
    const c = hidden.data.subarray(t * hidden.width, (t + 1) * hidden.width);
    for (let k = 0; k < steps; k++) {
      const weight = tensorOf(weights, `predictors.${k}.weight`).data;
      data.set(
        affine(weight, weights.tensors.get(`predictors.${k}.bias`)?.data, c),
        (t * steps + k) * latent,
      );
    }
  }
  return { frames: hidden.frames, width: steps * latent, data };
}
