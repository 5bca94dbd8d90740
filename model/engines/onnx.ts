/** The default engine: ONNX Runtime, on the CPU or on a GPU through WebGPU or CUDA. */
import type * as Ort from "onnxruntime-node";
import { CpcError } from "../../errors.ts";
import { type Engine, type EngineOptions, type ModelLayout, modelLayout, type StepInput, type StepOutput } from "../engine.ts";
import type { Weights } from "../weights.ts";
import { predictGraph, stepGraph } from "./onnx_graph.ts";

/** Rows B · T of one step: beyond it a step takes longer without getting more efficient. */
const MAX_ROWS = 64;

/** The model in ONNX Runtime sessions: one for steps, one for predictions. */
export class OnnxEngine implements Engine {
  readonly kind = "onnx";
  readonly precision = "fp32";
  readonly maxRows = MAX_ROWS;
  readonly device: string;
  readonly layout: ModelLayout;
  readonly #ort: typeof Ort;
  readonly #step: Ort.InferenceSession;
  readonly #predict?: Ort.InferenceSession;
  readonly #buffers = new Map<string, Float32Array<ArrayBuffer>>();

  private constructor(
    ort: typeof Ort,
    { device, layout, step, predict }: {
      device: string;
      layout: ModelLayout;
      step: Ort.InferenceSession;
      predict?: Ort.InferenceSession;
    },
  ) {
    this.#ort = ort;
    this.device = device;
    this.layout = layout;
    this.#step = step;
    this.#predict = predict;
  }

  /**
   * Builds the graphs and loads them.
   *
   * @throws {CpcError} `invalid_option` for a precision or device that it does not have
   */
  static async create(weights: Weights, { device, precision, threads }: EngineOptions): Promise<OnnxEngine> {
    if (precision !== "fp32") {
      throw new CpcError("invalid_option", `the onnx engine computes in fp32; ${precision} is not available`);
    }
    const ort = await loadOnnxRuntime();
    const provider = providerOf(ort, device);
    const options: Ort.InferenceSession.SessionOptions = {
      executionProviders: provider === "cpu" ? ["cpu"] : [provider, "cpu"],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: "all",
      logSeverityLevel: 3,
      extra: { session: { intra_op: { allow_spinning: "0" } } },
    };
    const layout = modelLayout(weights.config);
    const step = await ort.InferenceSession.create(stepGraph(weights, layout), options);
    const predict = layout.dims.steps ? await ort.InferenceSession.create(predictGraph(weights, layout), options) : undefined;
    return new OnnxEngine(ort, { device: provider, layout, step, predict });
  }

  async step({ streams, hops, samples, state, masks }: StepInput): Promise<StepOutput> {
    const { plan, dims, stateFloats, contextIsHidden } = this.layout;
    const feeds: Record<string, Ort.Tensor> = {
      samples: this.#tensor(samples, [streams, hops * plan.hopSamples]),
      state: this.#tensor(state, [streams, stateFloats]),
    };
    masks.forEach((mask, i) => feeds[`mask_${i}`] = this.#tensor(mask, [streams, hops * plan.convs[i].rowsPerHop]));
    const latent = this.#buffer("latent", streams * hops * dims.latent);
    const context = this.#buffer("context", streams * hops * dims.context);
    const hidden = contextIsHidden ? context : this.#buffer("hidden", context.length);
    const stateOut = this.#buffer("state", state.length);
    const fetches: Record<string, Ort.Tensor> = {
      latent: this.#tensor(latent, [streams, hops, dims.latent]),
      context: this.#tensor(context, [streams, hops, dims.context]),
      state_out: this.#tensor(stateOut, [streams, stateFloats]),
    };
    if (!contextIsHidden) fetches.hidden = this.#tensor(hidden, [streams, hops, dims.context]);
    await this.#step.run(feeds, fetches);
    return { latent, context, hidden, state: stateOut };
  }

  async predict(hidden: Float32Array): Promise<Float32Array> {
    if (!this.#predict) throw new TypeError("this model has no predictors");
    const { context, steps, latent } = this.layout.dims;
    const rows = hidden.length / context;
    const prediction = this.#buffer("prediction", rows * steps * latent);
    await this.#predict.run(
      { hidden: this.#tensor(hidden, [rows, context]) },
      { prediction: this.#tensor(prediction, [rows, steps * latent]) },
    );
    return prediction;
  }

  async dispose(): Promise<void> {
    await this.#step.release();
    await this.#predict?.release();
  }

  #tensor(data: Float32Array, dims: number[]): Ort.Tensor {
    return new this.#ort.Tensor("float32", data, dims);
  }

  /** A view of a buffer that grows and is used again. */
  #buffer(name: string, length: number): Float32Array<ArrayBuffer> {
    let buffer = this.#buffers.get(name);
    if (!buffer || buffer.length < length) {
      buffer = new Float32Array(length);
      this.#buffers.set(name, buffer);
    }
    return buffer.subarray(0, length);
  }
}

/** Imports ONNX Runtime with its telemetry switched off first. */
export async function loadOnnxRuntime(): Promise<typeof Ort> {
  Deno.env.set("ORT_DISABLE_TELEMETRY", "1");
  return await import("onnxruntime-node");
}

/** The execution provider of a `--device`. */
function providerOf(ort: typeof Ort, device: string): string {
  if (device === "auto" || device === "cpu") return "cpu";
  const known = ort.listSupportedBackends().map((backend) => backend.name);
  if (known.includes(device)) return device;
  throw new CpcError("invalid_option", `--device ${device}: the onnx engine has auto, ${known.join(", ")} on this machine`);
}
