/**
 * What an engine is: weights that can take a step for many streams at once. It knows nothing of
 * sockets, queues or sessions.
 *
 * State is a value that belongs to the stream. Every engine uses the same layout, so a stream may
 * move between them: the convolutions' tails in order (`tailRows · inChannels` floats each, a row's
 * channels together), then for each layer of the context network h `[H]` and, for an LSTM, the cell
 * `[H]`. A stream begins with zeros.
 */
import {
  type ConvPlan,
  type ModelConfig,
  type StreamingPlan,
  streamingPlan,
} from "./architecture.ts";
import { type Dims, modelDims } from "./weights.ts";

/** The engines to choose from. */
export const ENGINE_KINDS = ["onnx", "tfjs"] as const;
/** One of {@linkcode ENGINE_KINDS}. */
export type EngineKind = typeof ENGINE_KINDS[number];

/** The precision of an engine's encoder. */
export const PRECISIONS = ["fp32", "int8"] as const;
/** One of {@linkcode PRECISIONS}. */
export type Precision = typeof PRECISIONS[number];

/** One step: T hops of B streams. */
export interface StepInput {
  /** B */
  readonly streams: number;
  /** T; 1 while any stream of the batch is younger than `plan.youngHops` */
  readonly hops: number;
  /** `[B, T · hop]`, the lead zeros of a new stream included; before `input_scale` */
  readonly samples: Float32Array;
  /** `[B, S]` */
  readonly state: Float32Array;
  /**
   * One per convolution of the plan, `[B, T · rowsPerHop]`: 1 where the row exists, 0 where it is
   * padding (see {@linkcode fillMask}).
   */
  readonly masks: readonly Float32Array[];
  /**
   * Only latents and the convolutions' tails are needed: an engine may leave out the context
   * network, and give zeros for its outputs and state.
   */
  readonly latentOnly?: boolean;
}

/** What a step gives. The arrays belong to the engine and are valid until its next call. */
export interface StepOutput {
  /** z `[B, T, Z]` */
  readonly latent: Float32Array;
  /** c `[B, T, C]`: the output layer of the context network */
  readonly context: Float32Array;
  /**
   * `[B, T, C]`: its last layer, from which predictions are made; the same array as `context` when
   * that is the last layer
   */
  readonly hidden: Float32Array;
  /** `[B, S]` */
  readonly state: Float32Array;
}

/** What computes, and what does not, and why; for the log of `start` and for `doctor`. */
export interface Backend {
  /** Library and version, such as `onnxruntime-node 1.30.0`. */
  readonly library: string;
  /** What the device allows but was not taken, with the reason. */
  readonly notTaken: readonly { readonly name: string; readonly why: string }[];
  /** Set when a GPU-like device was taken but computes on the CPU. */
  readonly warning?: string;
}

/** Weights ready to run. */
export interface Engine {
  readonly kind: EngineKind;
  readonly backend: Backend;
  /** Where it computes: `cpu`, `webgpu`, `cuda`, `wasm`, … */
  readonly device: string;
  readonly precision: Precision;
  readonly layout: ModelLayout;
  /** Most rows B · T of one step that it takes efficiently. */
  readonly maxRows: number;
  /** Takes one step. It may block the thread. It leaves the input unchanged. */
  step(input: StepInput): Promise<StepOutput>;
  /**
   * Predicts latents: `[N, C]` → `[N, K · Z]`, valid until the next call.
   *
   * @throws {TypeError} when the model has no predictors
   */
  predict(hidden: Float32Array): Promise<Float32Array>;
  /**
   * Loads what only makes large steps faster, where {@linkcode EngineOptions.startQuickly} left it
   * out. Steps may be taken meanwhile.
   */
  complete?(): Promise<void>;
  /**
   * What share of a step each part of the network takes, by the step's rows B · T; only with
   * {@linkcode EngineOptions.profile}, and only where the engine can tell.
   */
  readonly shares?: (rows: number) => Readonly<Record<string, number>>;
  /** Frees native memory; the engine is unusable afterwards. */
  dispose(): Promise<void>;
}

/** Sizes that engines, arenas and schedulers share. */
export interface ModelLayout {
  readonly config: ModelConfig;
  readonly plan: StreamingPlan;
  readonly dims: Dims;
  /** Floats of each convolution's tail. */
  readonly tailFloats: readonly number[];
  /** Floats of the context network's state: layers · H, twice that for an LSTM. */
  readonly contextFloats: number;
  /** S: floats of state per stream. */
  readonly stateFloats: number;
  /** The output layer is the last one: `context` and `hidden` are the same. */
  readonly contextIsHidden: boolean;
}

/** The sizes of a model. */
export function modelLayout(config: ModelConfig): ModelLayout {
  const plan = streamingPlan(config);
  const tailFloats = plan.convs.map((conv) => conv.tailRows * conv.inChannels);
  const { type, layers, hidden, output_layer } = config.context;
  const contextFloats = layers * hidden * (type === "lstm" ? 2 : 1);
  return {
    config,
    plan,
    dims: modelDims(config),
    tailFloats,
    contextFloats,
    stateFloats: tailFloats.reduce((sum, n) => sum + n, contextFloats),
    contextIsHidden: (output_layer ?? layers) === layers,
  };
}

/**
 * Writes the mask of one convolution for one stream.
 *
 * @param mask where to write, `[T · rowsPerHop]`
 * @param options `hopsTaken`: steps of one hop that the stream has taken before; `totalRows`: rows
 *   that the layer has in all, Infinity while the signal goes on
 */
export function fillMask(
  mask: Float32Array,
  conv: ConvPlan,
  { hopsTaken, totalRows }: { hopsTaken: number; totalRows: number },
): void {
  const first = hopsTaken * conv.rowsPerHop - conv.delayRows; // true index of row 0
  mask.fill(1);
  if (first < 0) mask.fill(0, 0, Math.min(-first, mask.length));
  if (first + mask.length > totalRows) mask.fill(0, Math.max(0, totalRows - first));
}

/** What it takes to make an engine. */
export interface EngineOptions {
  readonly device: string;
  readonly precision: Precision;
  /** Threads that one engine may use inside a step. */
  readonly threads: number;
  /** Leave to {@linkcode Engine.complete} what the first steps can do without. */
  readonly startQuickly?: boolean;
  /** Measure the parts of the network at start, for {@linkcode Engine.shares}. */
  readonly profile?: boolean;
}
