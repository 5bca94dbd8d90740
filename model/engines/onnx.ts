/** The default engine: ONNX Runtime, on the CPU or on a GPU through WebGPU or CUDA. */
import type * as Ort from "onnxruntime-node";
import { CpcError } from "../../errors.ts";
import {
  type Backend,
  type Engine,
  type EngineOptions,
  type ModelLayout,
  modelLayout,
  type Precision,
  type StepInput,
  type StepOutput,
} from "../engine.ts";
import { foldConv } from "../folded.ts";
import { Scratch } from "../scratch.ts";
import type { Weights } from "../weights.ts";
import { hasFast } from "./onnx_conv.ts";
import { predictGraph, stepGraph, type StepGraphOptions } from "./onnx_graph.ts";
import { isWide, isWideContext, weightRangeOf, weightRangeWarning } from "./onnx_int8.ts";
import {
  knownProviders,
  loadOnnxRuntime,
  ONNXRUNTIME_VERSION,
  prepareProvider,
  providersOf,
  runInto,
  softwareWarning,
  whyFailed,
} from "./onnx_runtime.ts";
import { measureShares } from "./onnx_shares.ts";
import { mostRows } from "./rows.ts";

/**
 * Rows B · T from which a step uses the graph with fewer multiplications. Below this, reading
 * weights takes longer than multiplying, and that graph has more weights.
 */
const FAST_ROWS = 8;

/** The parts of an engine. */
interface Loaded {
  readonly ort: typeof Ort;
  readonly device: string;
  readonly precision: Precision;
  readonly layout: ModelLayout;
  readonly step: Ort.InferenceSession;
  /** Loads that for steps of {@linkcode FAST_ROWS} and more, where another graph is faster. */
  readonly loadFastStep?: () => Promise<Ort.InferenceSession>;
  readonly predict?: Ort.InferenceSession;
  readonly shares?: Engine["shares"];
  readonly warning?: string;
}

/** The model in ONNX Runtime sessions: for steps of few and of many rows, and for predictions. */
export class OnnxEngine implements Engine {
  readonly kind = "onnx";
  readonly precision: Precision;
  readonly maxRows: number;
  readonly device: string;
  readonly layout: ModelLayout;
  readonly backend: Backend;
  readonly shares?: Engine["shares"];
  readonly #ort: typeof Ort;
  readonly #step: Ort.InferenceSession;
  readonly #loadFastStep?: () => Promise<Ort.InferenceSession>;
  readonly #predict?: Ort.InferenceSession;
  readonly #outputs = new Scratch();
  #fastStep?: Ort.InferenceSession;
  #completed?: Promise<void>;

  private constructor(
    { ort, device, precision, layout, step, loadFastStep, predict, shares }: Loaded,
    backend: Backend,
  ) {
    this.#ort = ort;
    this.device = device;
    this.precision = precision;
    this.layout = layout;
    this.backend = backend;
    this.maxRows = mostRows({ onCard: device !== "cpu" && backend.warning === undefined });
    this.#step = step;
    this.#loadFastStep = loadFastStep;
    this.#predict = predict;
    this.shares = shares;
  }

  /**
   * Builds the graphs and loads them on the first of the device's providers that works.
   *
   * @throws {CpcError} `invalid_option` for a precision or device that does not work here, with the
   *   reason
   */
  static async create(
    weights: Weights,
    { device, precision, threads, startQuickly = false, profile = false }: EngineOptions,
  ): Promise<OnnxEngine> {
    const { providers, passedOver } = precision === "int8"
      ? int8Providers(device)
      : providersOf(device);
    const notTaken = [...passedOver];
    for (const provider of providers) {
      try {
        const loaded = await load(weights, { provider, precision, threads, profile });
        const library = `onnxruntime-node ${ONNXRUNTIME_VERSION}`;
        const warning = loaded.warning ?? softwareWarning(provider);
        const engine = new OnnxEngine(loaded, { library, notTaken, warning });
        if (!startQuickly) await engine.complete();
        return engine;
      } catch (error) {
        if (error instanceof CpcError || provider === "cpu") throw error;
        notTaken.unshift({ name: provider, why: whyFailed(provider, error) });
      }
    }
    throw new CpcError(
      "invalid_option",
      `--device ${device}: the onnx engine cannot compute there: ${notTaken[0].why}`,
    );
  }

  async step(
    { streams, hops, samples, state, masks, latentOnly }: StepInput,
  ): Promise<StepOutput> {
    const { plan, dims, stateFloats, contextIsHidden } = this.layout;
    const feeds: Record<string, Ort.Tensor> = {
      samples: this.#tensor(samples, [streams, hops * plan.hopSamples]),
      state: this.#tensor(state, [streams, stateFloats]),
    };
    masks.forEach((mask, i) =>
      feeds[`mask_${i}`] = this.#tensor(mask, [streams, hops * plan.convs[i].rowsPerHop])
    );
    if (this.device === "cpu") {
      const frames = new Int32Array(streams).fill(latentOnly ? 0 : hops);
      feeds.frames = new this.#ort.Tensor("int32", frames, [streams]);
    }
    const latent = this.#outputs.take("latent", streams * hops * dims.latent);
    const context = this.#outputs.take("context", streams * hops * dims.context);
    const hidden = contextIsHidden ? context : this.#outputs.take("hidden", context.length);
    const stateOut = this.#outputs.take("state", state.length);
    const fetches: Record<string, Ort.Tensor> = {
      latent: this.#tensor(latent, [streams, hops, dims.latent]),
      context: this.#tensor(context, [streams, hops, dims.context]),
      state_out: this.#tensor(stateOut, [streams, stateFloats]),
    };
    if (!contextIsHidden) fetches.hidden = this.#tensor(hidden, [streams, hops, dims.context]);
    const session = streams * hops < FAST_ROWS ? this.#step : this.#fastStep ?? this.#step;
    await runInto(session, { feeds, fetches });
    return { latent, context, hidden, state: stateOut };
  }

  async predict(hidden: Float32Array): Promise<Float32Array> {
    if (!this.#predict) throw new TypeError("this model has no predictors");
    const { context, steps, latent } = this.layout.dims;
    const rows = hidden.length / context;
    const prediction = this.#outputs.take("prediction", rows * steps * latent);
    await runInto(this.#predict, {
      feeds: { hidden: this.#tensor(hidden, [rows, context]) },
      fetches: { prediction: this.#tensor(prediction, [rows, steps * latent]) },
    });
    return prediction;
  }

  complete(): Promise<void> {
    return this.#completed ??= (async () => {
      this.#fastStep = await this.#loadFastStep?.();
    })();
  }

  async dispose(): Promise<void> {
    await this.#completed;
    await this.#step.release();
    await this.#fastStep?.release();
    await this.#predict?.release();
  }

  #tensor(data: Float32Array, dims: number[]): Ort.Tensor {
    return new this.#ort.Tensor("float32", data, dims);
  }
}

/** The devices for 8 bits: only the CPU. */
function int8Providers(device: string): ReturnType<typeof providersOf> {
  if (device !== "auto" && device !== "cpu") {
    throw new CpcError(
      "invalid_option",
      `--precision int8 computes on the CPU: use --device auto or cpu, not ${device}`,
    );
  }
  const why = "--precision int8 computes on the CPU";
  return {
    providers: ["cpu"],
    passedOver: device === "auto" ? [{ name: "cuda", why }, { name: "webgpu", why }] : [],
  };
}

async function load(
  weights: Weights,
  { provider, precision, threads, profile }: {
    provider: string;
    precision: Precision;
    threads: number;
    profile: boolean;
  },
): Promise<Loaded> {
  const ort = await loadOnnxRuntime();
  const known = knownProviders(ort);
  if (!known.includes(provider)) {
    throw new CpcError(
      "invalid_option",
      `--device ${provider}: the onnx engine has auto, ${known.join(", ")} on this machine`,
    );
  }
  prepareProvider(provider);
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
  const convs = layout.plan.convs.map((conv) => foldConv(weights, conv));
  const create = (model: Uint8Array) => ort.InferenceSession.create(model, options);
  const widePredictors = precision === "int8" && isWideContext(layout.dims);
  const isWideInt8 = precision === "int8" && (widePredictors || layout.plan.convs.some(isWide));
  const weightRange = isWideInt8 ? await weightRangeOf(ort, options) : 127;
  const predict = layout.dims.steps
    ? await create(predictGraph(weights, layout, widePredictors ? { weightRange } : {}))
    : undefined;
  const contextOnRequest = provider === "cpu"; // CUDA's networks take no streams of 0 frames
  const graph: StepGraphOptions = { layout, precision, convs, weightRange, contextOnRequest };
  const build = (part: Pick<StepGraphOptions, "fast" | "until">) =>
    create(stepGraph(weights, { ...graph, ...part }));
  const isFast = precision === "fp32" && provider === "cpu" && hasFast(layout.plan);
  const step = await build({});
  return {
    ort,
    device: provider,
    precision,
    layout,
    predict,
    step,
    ...(isFast && { loadFastStep: () => build({ fast: true }) }),
    ...(profile && provider === "cpu" && {
      shares: await measureShares({
        ort,
        layout,
        fastRows: isFast ? FAST_ROWS : Infinity,
        load: build,
      }),
    }),
    ...(precision === "int8" && { warning: weightRangeWarning(weightRange) }),
  };
}
