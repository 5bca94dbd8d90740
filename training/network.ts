/**
 * The CPC network in TensorFlow.js, for training and for whole files: encoder, context network,
 * predictors, with gradients.
 *
 * Its variables have the tensor names of a weights folder. Their layout suits matrix products: a
 * convolution's weight as `[kernel · in, out]`, matrices transposed; `toTensors` and `assign` use
 * PyTorch's shapes.
 */
import type * as core from "@tensorflow/tfjs-core";
import { CpcError } from "../errors.ts";
import {
  type ConvPlan,
  delayOf,
  minimumSamples,
  type ModelConfig,
  NORM_EPS,
  offlineFrames,
  streamingPlan,
} from "../model/architecture.ts";
import type { Tensor } from "../model/safetensors.ts";
import { checkTensors } from "../model/weights.ts";
import {
  batchNorm,
  blockProduct,
  channelNorm,
  type Moments,
  momentsOfProduct,
  relu,
  strideBlocks,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  type Tf,
  windows,
} from "../model/tfjs/layers.ts";
import { gru, lstm, type RecurrentWeights, recurrentWeights } from "../model/tfjs/recurrent.ts";
import { isWebgpu } from "../model/tfjs/webgpu_kernel.ts";
import { batchNormInKernels } from "../model/tfjs/webgpu_norm.ts";
import { moveAverages } from "./webgpu_update.ts";

/** Share of a new batch in the running statistics of batch norm (PyTorch's default). */
const MOMENTUM = 0.1;

/** The state of a context network: for each layer h `[B, H]`, and for an LSTM the cell. */
export interface ContextState {
  readonly hidden: Tensor2D[];
  readonly cell?: Tensor2D[];
}

/** Outputs of a context network. */
export interface ContextOutput {
  /** c `[B, T, C]`: the output layer. */
  readonly context: Tensor3D;
  /** `[B, T, C]`: the last layer, from which predictions are made. */
  readonly hidden: Tensor3D;
  readonly state: ContextState;
}

/**
 * A CPC network whose variables live in TensorFlow.js. Call its methods inside `tf.tidy` (or a
 * gradient function).
 */
export class Network {
  readonly config: ModelConfig;
  readonly #tf: Tf;
  readonly #convs: readonly ConvPlan[];
  readonly #variables = new Map<string, core.Variable>();
  /** In PyTorch's layout. */
  readonly #shapes = new Map<string, readonly number[]>();

  /**
   * @param tensors in PyTorch's shapes, as a weights folder holds them; copied
   * @throws {CpcError} `weights_invalid` when they do not fit the configuration
   */
  constructor(
    tf: Tf,
    { config, tensors }: { config: ModelConfig; tensors: ReadonlyMap<string, Tensor> },
  ) {
    checkTensors(config, tensors);
    this.config = config;
    this.#tf = tf;
    this.#convs = streamingPlan(config).convs;
    for (const [name, tensor] of tensors) {
      this.#shapes.set(name, tensor.shape);
      this.#variables.set(name, tf.tidy(() => tf.variable(inward(tf, tensor), isTrainable(name))));
    }
  }

  /** The trained variables by tensor name: all but running statistics. */
  get trainable(): Map<string, core.Variable> {
    return new Map([...this.#variables].filter(([name]) => isTrainable(name)));
  }

  /** Every variable by tensor name, running statistics too, in this network's layout. */
  get variables(): ReadonlyMap<string, core.Variable> {
    return this.#variables;
  }

  /** Every variable in PyTorch's shapes, as a weights folder stores them. */
  async toTensors(): Promise<Map<string, Tensor>> {
    const tensors = new Map<string, Tensor>();
    for (const [name, variable] of this.#variables) {
      tensors.set(name, await this.toTensor(name, variable));
    }
    return tensors;
  }

  /**
   * Converts a tensor with the layout of that variable (its value, its gradient, a moment of an
   * optimizer) to PyTorch's shape.
   */
  async toTensor(name: string, value: core.Tensor): Promise<Tensor> {
    const shape = this.#shapes.get(name);
    if (!shape) throw new TypeError(`this network has no tensor ${name}`);
    const tensor = this.#tf.tidy(() => outward(this.#tf, value, shape));
    return { shape, data: await tensor.data<"float32">().finally(() => tensor.dispose()) };
  }

  /**
   * Sets variables from tensors in PyTorch's shapes. @throws {CpcError} `weights_invalid` for other
   * names or shapes
   */
  assign(tensors: ReadonlyMap<string, Tensor>): void {
    checkTensors(this.config, tensors);
    for (const [name, variable] of this.#variables) {
      const tensor = tensors.get(name);
      if (tensor) this.#tf.tidy(() => variable.assign(inward(this.#tf, tensor)));
    }
  }

  /** Frees the variables. */
  dispose(): void {
    for (const variable of this.#variables.values()) variable.dispose();
    this.#variables.clear();
  }

  /**
   * x → z.
   *
   * @param samples `[B, N]` at 16 kHz, before `input_scale`
   * @param options `training`: batch norm uses the batch's statistics; `moves` (default): it also
   *   moves the running ones towards them
   * @returns `[B, T, Z]`
   * @throws {CpcError} `audio_too_short` below one frame
   */
  encode(
    samples: Tensor2D,
    { training = false, moves = training }: { training?: boolean; moves?: boolean } = {},
  ): Tensor3D {
    const tf = this.#tf;
    const count = samples.shape[1];
    if (offlineFrames(this.config, count) < 1) {
      throw new CpcError(
        "audio_too_short",
        `one frame needs ${minimumSamples(this.config)} samples at 16 kHz, got ${count}`,
      );
    }
    const scale = this.config.input_scale;
    const delay = delayOf(this.config);
    const heard = delay === 0 ? samples : tf.pad(samples, [[0, 0], [delay, 0]]);
    // [B, N, 1]
    let x = tf.expandDims(scale === 1 ? heard : tf.mul(heard, scale), 2) as Tensor3D;
    let skip = x;
    for (const conv of this.#convs) {
      if (conv.role === "first") skip = x;
      const activate = conv.role !== "second";
      x = conv.norm === "batch"
        ? this.#convBatch(x, conv, { training, moves, activate })
        : this.#convPlain(x, conv, activate);
      if (!activate) x = relu(tf, tf.add(x, skip));
    }
    return x;
  }

  /**
   * z → c, from a state or from zeros.
   *
   * @param latent `[B, T, Z]`
   * @param options `reverse`: uses the reversed network, whose latents come from time-reversed
   *   samples: `context(encode(tf.reverse(samples, 1)), { reverse: true })`; rows are in the order
   *   of `latent`
   */
  context(
    latent: Tensor3D,
    { state, reverse = false }: { state?: ContextState; reverse?: boolean } = {},
  ): ContextOutput {
    const tf = this.#tf;
    const config = reverse ? this.config.reverse?.context : this.config.context;
    if (!config) throw new TypeError("this model has no reversed context network");
    const streams = latent.shape[0];
    const zeros = () => tf.zeros([streams, config.hidden]) as Tensor2D;
    const outputs: Tensor3D[] = [];
    const [hidden, cells]: Tensor2D[][] = [[], []];
    let x = tf.transpose(latent, [1, 0, 2]); // [T, B, Z]
    for (let n = 0; n < config.layers; n++) {
      const weights = this.#recurrentWeights(`${reverse ? "reverse." : ""}context`, {
        type: config.type,
        layer: n,
      });
      const start = { weights, hidden: state?.hidden[n] ?? zeros() };
      const layer = config.type === "gru"
        ? gru(tf, x, start)
        : lstm(tf, x, { ...start, cell: state?.cell?.[n] ?? zeros() });
      x = layer.output;
      outputs.push(x);
      hidden.push(layer.hidden);
      if (layer.cell) cells.push(layer.cell);
    }
    const rows = (n: number) => tf.transpose(outputs[n], [1, 0, 2]); // [B, T, C]
    const outputLayer = (config.output_layer ?? config.layers) - 1;
    const last = rows(config.layers - 1);
    return {
      context: outputLayer === config.layers - 1 ? last : rows(outputLayer),
      hidden: last,
      state: config.type === "gru" ? { hidden } : { hidden, cell: cells },
    };
  }

  /**
   * W_k c for one k, or for some side by side.
   *
   * @param hidden `[N, C]`
   * @param k 1…K
   * @returns `[N, Z]` for each k
   */
  predict(
    hidden: Tensor2D,
    k: number | readonly number[],
    { reverse = false }: { reverse?: boolean } = {},
  ): Tensor2D {
    const tf = this.#tf;
    const steps = (reverse ? this.config.reverse?.predictors : this.config.predictors)?.steps ?? 0;
    const prefixes = [k].flat().map((k) => {
      if (!Number.isInteger(k) || k < 1 || k > steps) {
        throw new RangeError(`k must be an integer from 1 to ${steps}, got ${k}`);
      }
      return `${reverse ? "reverse." : ""}predictors.${k - 1}`;
    });
    const weights = prefixes.map((prefix) => this.#variable<Tensor2D>(`${prefix}.weight`));
    const product: Tensor2D = tf.matMul(hidden, tf.concat(weights, 1));
    const biases = prefixes.flatMap((prefix) => {
      return (this.#variables.get(`${prefix}.bias`) ?? []) as Tensor1D | [];
    });
    return biases.length > 0 ? tf.add<Tensor2D>(product, tf.concat(biases)) : product;
  }

  #convBatch(
    x: Tensor3D,
    conv: ConvPlan,
    { training, moves, activate }: { training: boolean; moves: boolean; activate: boolean },
  ): Tensor3D {
    const tf = this.#tf;
    const part = (name: string) => this.#variable<Tensor1D>(`${conv.normPrefix}.${name}`);
    const [gain, shift] = [part("weight"), part("bias")];
    const bias = this.#variables.get(`${conv.prefix}.bias`) as Tensor1D | undefined;
    const weight = this.#weight(conv);
    const blocks = strideBlocks(tf, x, conv);
    const shape: [number, number, number] = [
      x.shape[0],
      blocks.shape[1] - conv.blocks + 1,
      conv.outChannels,
    ];
    const onMoments = (moments: Moments) => moves && this.#updateRunning(conv, moments);
    const narrow = 4 * weight.shape[0] <= conv.outChannels;
    if (training && !narrow) { // a bias before batch norm cancels
      const product = blockProduct(tf, blocks, weight, conv.blocks);
      const moved = bias ? tf.add<Tensor2D>(product, bias) : product;
      const norm = isWebgpu(tf) ? batchNormInKernels : batchNorm;
      return tf.reshape(norm(tf, moved, { gain, shift, activate, onMoments }), shape);
    }
    const rows = windows(tf, blocks, conv.blocks); // [N, D]
    let mean = part("running_mean");
    let variance = part("running_var");
    if (training) {
      const moments = momentsOfProduct(tf, rows, weight);
      mean = bias ? tf.add(moments.mean, bias) : moments.mean;
      variance = moments.variance;
      onMoments({ ...moments, mean });
    }
    const scale = tf.mul(gain, tf.rsqrt(tf.add(variance, NORM_EPS))); // [C]
    const offset = tf.sub(shift, tf.mul(bias ? tf.sub(mean, bias) : mean, scale));
    const y = tf.add(tf.matMul(rows, tf.mul(weight, scale) as Tensor2D), offset);
    return tf.reshape(activate ? relu(tf, y) : y, shape);
  }

  #convPlain(x: Tensor3D, conv: ConvPlan, activate: boolean): Tensor3D {
    const tf = this.#tf;
    const blocks = strideBlocks(tf, x, conv);
    const bias = this.#variables.get(`${conv.prefix}.bias`);
    let y = blockProduct(tf, blocks, this.#weight(conv), conv.blocks);
    if (bias) y = tf.add(y, bias);
    if (conv.norm === "channel") {
      const part = (name: string) => this.#variable<Tensor1D>(`${conv.normPrefix}.${name}`);
      y = channelNorm(tf, y, { gain: part("weight"), shift: part("bias") });
    }
    if (activate) y = relu(tf, y);
    return tf.reshape(y, [x.shape[0], blocks.shape[1] - conv.blocks + 1, conv.outChannels]);
  }

  /** `[blocks · stride · in, out]`: the kernel after its zero front taps. */
  #weight(conv: ConvPlan): Tensor2D {
    const weight = this.#variable<Tensor2D>(`${conv.prefix}.weight`);
    return conv.frontTaps === 0
      ? weight
      : this.#tf.pad(weight, [[conv.frontTaps * conv.inChannels, 0], [0, 0]]);
  }

  #updateRunning(conv: ConvPlan, { mean, variance, rows }: Moments): void {
    const tf = this.#tf;
    const unbiased = tf.mul(variance, rows / Math.max(1, rows - 1));
    const pairs = ([["running_mean", mean], ["running_var", unbiased]] as const).map((
      [name, value],
    ) => ({ average: this.#variable<core.Variable>(`${conv.normPrefix}.${name}`), value }));
    if (isWebgpu(tf)) return moveAverages(tf, pairs, 1 - MOMENTUM);
    for (const { average, value } of pairs) {
      average.assign(tf.add(tf.mul(average, 1 - MOMENTUM), tf.mul(value, MOMENTUM)));
    }
  }

  #recurrentWeights(
    prefix: string,
    { type, layer }: { type: "gru" | "lstm"; layer: number },
  ): RecurrentWeights {
    return recurrentWeights(this.#tf, type, {
      weightIh: this.#variable(`${prefix}.weight_ih_l${layer}`),
      weightHh: this.#variable(`${prefix}.weight_hh_l${layer}`),
      biasIh: this.#variable(`${prefix}.bias_ih_l${layer}`),
      biasHh: this.#variable(`${prefix}.bias_hh_l${layer}`),
    });
  }

  #variable<T extends core.Tensor>(name: string): T {
    const variable = this.#variables.get(name);
    if (!variable) throw new CpcError("weights_invalid", `tensor ${name} is missing`);
    return variable as core.Tensor as T;
  }
}

function isTrainable(name: string): boolean {
  return !name.includes(".running_");
}

/** PyTorch's layout → ours: the axes reversed, a convolution's taps and channels in one. */
function inward(tf: Tf, { shape, data }: Tensor): core.Tensor {
  const tensor = tf.transpose(tf.tensor(data, [...shape]));
  return shape.length === 3 ? tf.reshape(tensor, [shape[2] * shape[1], shape[0]]) : tensor;
}

/** Our layout → PyTorch's. */
function outward(tf: Tf, value: core.Tensor, shape: readonly number[]): core.Tensor {
  return tf.transpose(tf.reshape(value, shape.toReversed()));
}
