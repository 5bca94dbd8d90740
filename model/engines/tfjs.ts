/**
 * The engine on TensorFlow.js: the same step as the ONNX graph, in ops, on whichever backend works
 * here.
 */
import { CpcError } from "../../errors.ts";
import {
  type Backend,
  type Engine,
  type EngineOptions,
  type ModelLayout,
  modelLayout,
  type StepInput,
  type StepOutput,
} from "../engine.ts";
import { foldConv, type FoldedConv } from "../folded.ts";
import { describeTfjs, type LoadedTfjs, loadTfjs } from "../tfjs/backend.ts";
import {
  type AnyTensor,
  channelNorm,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  type Tf,
  windows,
} from "../tfjs/layers.ts";
import { gru, lstm, type RecurrentWeights, recurrentWeights } from "../tfjs/recurrent.ts";
import { type Tensor } from "../safetensors.ts";
import { tensorOf, type Weights } from "../weights.ts";
import { mostRows } from "./rows.ts";

/** A folded convolution as tensors. */
interface ConvTensors extends Pick<FoldedConv, "plan"> {
  readonly weight: Tensor2D; // [blocks · stride · in, out]
  readonly bias: Tensor1D; // [out]
  readonly norm?: { readonly gain: Tensor1D; readonly shift: Tensor1D }; // [out]
}

/** The model as TensorFlow.js tensors. */
export class TfjsEngine implements Engine {
  readonly kind = "tfjs";
  readonly precision = "fp32";
  readonly maxRows: number;
  readonly layout: ModelLayout;
  readonly backend: Backend;
  /** `cuda`, `webgpu`, `cpu`, or `wasm` */
  readonly device: string;
  readonly #tf: Tf;
  readonly #tfBackend: string;
  readonly #convs: readonly ConvTensors[];
  readonly #recurrent: readonly RecurrentWeights[];
  // [C, K · Z], [K · Z]
  readonly #predictors?: { readonly weight: Tensor2D; readonly bias: Tensor1D };

  private constructor(weights: Weights, loaded: LoadedTfjs) {
    const { tf } = loaded;
    this.#tf = tf;
    this.#tfBackend = tf.getBackend();
    this.backend = describeTfjs(loaded);
    this.device = deviceOf(loaded);
    this.maxRows = mostRows({ onCard: loaded.device === "gpu" });
    this.layout = modelLayout(weights.config);
    this.#convs = this.layout.plan.convs.map((plan) => convTensors(tf, foldConv(weights, plan)));
    this.#recurrent = Array.from(
      { length: weights.config.context.layers },
      (_, n) =>
        recurrentTensors(
          tf,
          weights.config.context.type,
          (part) => tensorOf(weights, `context.${part}_l${n}`),
        ),
    );
    if (this.layout.dims.steps > 0) this.#predictors = predictorTensors(tf, weights, this.layout);
  }

  /**
   * Loads the backend and the weights.
   *
   * @throws {CpcError} `invalid_option` for a precision or a device that does not work here
   */
  static async create(
    weights: Weights,
    { device, precision, threads }: EngineOptions,
  ): Promise<TfjsEngine> {
    if (precision !== "fp32") {
      throw new CpcError(
        "invalid_option",
        `the tfjs engine computes in fp32; ${precision} is not available`,
      );
    }
    return new TfjsEngine(weights, await loadTfjs({ device, threads }));
  }

  async step(input: StepInput): Promise<StepOutput> {
    const { contextIsHidden } = this.layout;
    await this.#take();
    const tensors = this.#tf.tidy(() => {
      const { latent, context, hidden, state } = this.#forward(input);
      return contextIsHidden ? [latent, context, state] : [latent, context, state, hidden];
    });
    const [latent, context, state, hidden = context] = await this.#read(tensors);
    return { latent, context, hidden, state };
  }

  async predict(hidden: Float32Array): Promise<Float32Array> {
    const { context } = this.layout.dims;
    const predictors = this.#predictors;
    if (!predictors) throw new TypeError("this model has no predictors");
    const tf = this.#tf;
    await this.#take();
    const prediction = tf.tidy(() =>
      tf.fused.matMul({
        a: tf.tensor2d(hidden, [hidden.length / context, context]),
        b: predictors.weight,
        bias: predictors.bias,
      })
    );
    const [data] = await this.#read([prediction]);
    return data;
  }

  // deno-lint-ignore require-await -- as above
  async dispose(): Promise<void> {
    const convs = this.#convs.map(({ weight, bias, norm }) => ({ weight, bias, ...norm }));
    this.#tf.dispose(
      [...convs, ...this.#recurrent, { ...this.#predictors }].flatMap((tensors) =>
        Object.values(tensors)
      ),
    );
  }

  /** WebGPU and WebAssembly share one library, which computes on the one chosen last. */
  async #take(): Promise<void> {
    if (this.#tf.getBackend() !== this.#tfBackend) await this.#tf.setBackend(this.#tfBackend);
  }

  /**
   * The values of tensors, which are disposed. WebGPU reads asynchronously and has one read for all
   * of them, since each read waits for the card; the others compute in the call.
   */
  async #read(tensors: readonly AnyTensor[]): Promise<Float32Array[]> {
    const tf = this.#tf;
    try {
      if (this.device !== "webgpu") return tensors.map((x) => x.dataSync<"float32">());
      const all = tf.tidy(() => tf.concat(tensors.map((x) => tf.reshape(x, [-1]))));
      const data = await all.data<"float32">().finally(() => all.dispose());
      let at = 0;
      return tensors.map(({ size }) => data.subarray(at, at += size));
    } finally {
      tf.dispose([...tensors]);
    }
  }

  #forward(
    { streams, hops, samples, state, masks }: StepInput,
  ): Record<keyof StepOutput, Tensor3D | Tensor2D> {
    const tf = this.#tf;
    const { plan, tailFloats, contextFloats, config } = this.layout;
    const sizes = [...tailFloats, contextFloats].filter((n) => n > 0);
    const parts = tf.split(
      tf.tensor2d(state, [streams, this.layout.stateFloats]),
      sizes,
      1,
    ) as Tensor2D[];
    const contextState = parts.pop()!;
    // between layers, a stream's rows form one row of the tensor, [B, rows · C], so that tails join
    // and part without a reshape: every op counts, since tfjs-node pays 50 µs for the smallest one
    let x = tf.tensor2d(samples, [streams, hops * plan.hopSamples]);
    let skip = x;
    const stateOut: Tensor2D[] = [];
    this.#convs.forEach((conv, i) => {
      const { role, outChannels } = conv.plan;
      const buffer: Tensor2D = tailFloats[i] > 0 ? tf.concat([parts.shift()!, x], 1) : x;
      if (tailFloats[i] > 0) {
        stateOut.push(tf.slice(buffer, [0, x.shape[1]], [streams, tailFloats[i]]));
      }
      // as late as the block's output
      if (role === "first") skip = tf.slice(buffer, [0, 0], x.shape);
      x = this.#conv(buffer, conv, role === "second" ? skip : undefined);
      if (masks[i].includes(0)) {
        const rows = masks[i].length / streams;
        const masked = tf.mul(
          tf.reshape(x, [streams, rows, outChannels]),
          tf.tensor3d(masks[i], [streams, rows, 1]),
        );
        x = tf.reshape(masked, x.shape);
      }
    });
    const latent = tf.reshape(x, [streams, hops, -1]) as Tensor3D;
    const { outputs, states } = this.#context(latent, contextState);
    const alive = masks[masks.length - 1].filter((_, row) => row % hops === hops - 1); // [B]
    const next = tf.concat(states, 1);
    stateOut.push(alive.includes(0) ? tf.mul(next, tf.tensor2d(alive, [streams, 1])) : next);
    return {
      latent,
      context: outputs[(config.context.output_layer ?? outputs.length) - 1],
      hidden: outputs[outputs.length - 1],
      state: tf.concat(stateOut, 1),
    };
  }

  /** `[B, (tail + n · stride) · in]` → `[B, n · out]` */
  #conv(buffer: Tensor2D, { plan, weight, bias, norm }: ConvTensors, skip?: Tensor2D): Tensor2D {
    const tf = this.#tf;
    const { blocks, stride, inChannels, outChannels } = plan;
    const streams = buffer.shape[0];
    const blockWidth = stride * inChannels;
    const gridRows = buffer.shape[1] / blockWidth;
    const isOneRow = gridRows === blocks; // the buffer is its only window
    const rows = isOneRow
      ? buffer
      : windows(tf, tf.reshape(buffer, [streams, gridRows, blockWidth]), blocks);
    let y: Tensor2D = tf.add(tf.matMul(rows, weight), bias); // [B · n, out]
    if (norm) y = channelNorm(tf, y, norm);
    if (skip) y = tf.add(y, tf.reshape(skip, y.shape));
    y = tf.relu(y);
    return isOneRow ? y : tf.reshape(y, [streams, (gridRows - blocks + 1) * outChannels]);
  }

  /**
   * `[B, T, Z]` and `[B, layers · H (· 2)]` → each layer's output `[B, T, H]` and the state's parts
   * `[B, H]`.
   */
  #context(latent: Tensor3D, state: Tensor2D): { outputs: Tensor3D[]; states: Tensor2D[] } {
    const tf = this.#tf;
    const { type, layers, hidden: width } = this.layout.config.context;
    const initial = tf.split(state, state.shape[1] / width, 1) as Tensor2D[];
    const outputs: Tensor3D[] = [];
    const states: Tensor2D[] = [];
    let x = tf.transpose(latent, [1, 0, 2]); // [T, B, Z]
    for (let n = 0; n < layers; n++) {
      const weights = this.#recurrent[n];
      const layer = type === "gru"
        ? gru(tf, x, { weights, hidden: initial[n] })
        : lstm(tf, x, { weights, hidden: initial[2 * n], cell: initial[2 * n + 1] });
      x = layer.output;
      outputs.push(tf.transpose(x, [1, 0, 2]));
      states.push(layer.hidden);
      if (layer.cell) states.push(layer.cell);
    }
    return { outputs, states };
  }
}

function deviceOf({ backend, device }: LoadedTfjs): string {
  if (backend === "wasm" || backend === "webgpu") return backend;
  return device === "gpu" ? "cuda" : "cpu";
}

function convTensors(tf: Tf, { plan, weight, bias, channelNorm }: FoldedConv): ConvTensors {
  return {
    plan,
    weight: tf.tensor2d(weight, [weight.length / plan.outChannels, plan.outChannels]),
    bias: tf.tensor1d(bias),
    norm: channelNorm &&
      { gain: tf.tensor1d(channelNorm.gain), shift: tf.tensor1d(channelNorm.shift) },
  };
}

function recurrentTensors(
  tf: Tf,
  type: "gru" | "lstm",
  part: (name: string) => Tensor,
): RecurrentWeights {
  const matrix = (name: string): Tensor2D => {
    const { shape: [rows, columns], data } = part(name);
    return tf.transpose(tf.tensor2d(data, [rows, columns]));
  };
  const vector = (name: string) => tf.tensor1d(part(name).data);
  return tf.tidy(() => {
    const matrices = { weightIh: matrix("weight_ih"), weightHh: matrix("weight_hh") };
    return {
      ...recurrentWeights(tf, type, {
        ...matrices,
        biasIh: vector("bias_ih"),
        biasHh: vector("bias_hh"),
      }),
    };
  });
}

function predictorTensors(
  tf: Tf,
  weights: Weights,
  { dims }: ModelLayout,
): { weight: Tensor2D; bias: Tensor1D } {
  const { latent, context, steps } = dims;
  const matrices = Array.from(
    { length: steps },
    (_, k) => tensorOf(weights, `predictors.${k}.weight`).data,
  ); // [Z, C]
  const biases = Array.from(
    { length: steps },
    (_, k) => weights.tensors.get(`predictors.${k}.bias`)?.data ?? new Float32Array(latent),
  );
  return tf.tidy(() => ({
    weight: tf.transpose(
      tf.concat(matrices.map((data) => tf.tensor2d(data, [latent, context])), 0),
    ),
    bias: tf.concat(biases.map((data) => tf.tensor1d(data))),
  }));
}
