/**
 * What a model is made of, and what follows from that.
 *
 * Legend, here and in every model file: B streams, T frames, C channels, Z latent width, H hidden
 * width, K prediction steps. `config.json` is parsed here; hop, receptive field, look-ahead and the
 * streaming plan are derived from it, never assumed.
 */
import { z } from "zod";

/** The sample rate of every model in this project, in Hz. */
export const MODEL_SAMPLE_RATE = 16_000;

/** Added to variances before the square root, in every norm (PyTorch's default). */
export const NORM_EPS = 1e-5;

const width = z.int().min(1).max(8192);

const layerSchema = z.strictObject({
  kernel: z.int().min(1).max(1024),
  stride: z.int().min(1).max(1024),
  padding: z.int().min(0).max(1023),
  channels: width,
  norm: z.enum(["batch", "channel", "none"]),
  residual_blocks: z.int().min(0).max(16).default(0),
}).refine((layer) => layer.padding < layer.kernel, {
  error: "padding must be smaller than kernel: a frame made of padding alone carries no audio",
}).refine((layer) => layer.norm !== "channel" || layer.channels > 1, {
  error: "norm channel needs at least 2 channels: one number alone has no unbiased variance",
  path: ["norm"],
});

const contextSchema = z.strictObject({
  type: z.enum(["gru", "lstm"]),
  hidden: width,
  layers: z.int().min(1).max(8),
  output_layer: z.int().min(1).optional(),
}).refine((context) => (context.output_layer ?? context.layers) <= context.layers, {
  error: "output_layer must be one of the layers (1-based)",
});

const predictorsSchema = z.strictObject({
  steps: z.int().min(1).max(128),
  type: z.literal("linear"),
}).nullable();

const configSchema = z.strictObject({
  version: z.literal(1).optional(),
  sample_rate: z.literal(MODEL_SAMPLE_RATE),
  encoder: z.array(layerSchema).min(1).max(32),
  context: contextSchema,
  input_scale: z.number().positive().max(1e6).default(1),
  delay_samples: z.int().min(0).optional(),
  predictors: predictorsSchema,
  reverse: z.strictObject({ context: contextSchema, predictors: predictorsSchema }).optional(),
});

/** A parsed `config.json`: see `docs/weights.md`. */
export type ModelConfig = z.infer<typeof configSchema>;

/** The schema of a weights folder's `config.json`. */
export const modelConfigSchema = configSchema.refine(
  (config) => streamingPlan(config).lookaheadSamples > 0,
  {
    error: "delay_samples must be smaller than the look-ahead: a frame must hear some audio",
    when: ({ issues }) => issues.length === 0, // a plan of a billion layers would fill the memory
  },
);
/** A context network's part of the configuration. */
export type ContextConfig = ModelConfig["context"];
/** How a convolution's output is normalised. */
export type Norm = ModelConfig["encoder"][number]["norm"];

/**
 * One convolution of the encoder with what follows it, residual blocks unrolled, in the order of
 * computation.
 */
export interface ConvSpec {
  /** Where its tensors are: `{prefix}.weight`, and `{normPrefix}.weight` and so on. */
  readonly prefix: string;
  readonly normPrefix: string;
  /**
   * `main`: a strided layer. `first`, `second`: the two convolutions of a residual block; the
   * block's input is added after `second`'s norm.
   */
  readonly role: "main" | "first" | "second";
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly norm: Norm;
}

/**
 * A convolution prepared for streaming: its kernel extended at the front with zeros to a whole
 * number of strides.
 */
export interface ConvPlan extends ConvSpec {
  /** Strides in the extended kernel: `ceil(kernel / stride)`. */
  readonly blocks: number;
  /** Taps of zero weight put before the kernel, so that `kernel + frontTaps = blocks · stride`. */
  readonly frontTaps: number;
  /** Input rows kept between steps: `(blocks − 1) · stride`. */
  readonly tailRows: number;
  /** Rows of output per hop. */
  readonly rowsPerHop: number;
  /**
   * How many rows its output lags: row j of step m has true index `m · rowsPerHop + j − delayRows`;
   * a negative index is padding and must be zero.
   */
  readonly delayRows: number;
}

/** What the stack of convolutions implies for streaming. */
export interface StreamingPlan {
  /** Samples per frame: the product of all strides. */
  readonly hopSamples: number;
  /** Samples that one latent sees. */
  readonly receptiveFieldSamples: number;
  /**
   * Samples that must be in, counted from a frame's own start (160 · f), before the frame is exact.
   */
  readonly lookaheadSamples: number;
  /**
   * Zeros put before the audio: the configuration's delay, and what makes a step end just where a
   * frame becomes exact.
   */
  readonly leadSamples: number;
  /** Frames by which the steps lag: step m (0-based) yields frame `m − delayFrames`. */
  readonly delayFrames: number;
  /**
   * Steps at the start of a stream in which some layer still yields padding. They take one hop
   * each.
   */
  readonly youngHops: number;
  readonly convs: readonly ConvPlan[];
}

/**
 * The encoder's convolutions in order, residual blocks unrolled (kernel 3, stride 1, padding 1, as
 * the blocks are defined).
 */
export function convSpecs(config: ModelConfig): ConvSpec[] {
  const specs: ConvSpec[] = [];
  let inChannels = 1;
  config.encoder.forEach((layer, i) => {
    specs.push({
      prefix: `encoder.${i}.conv`,
      normPrefix: `encoder.${i}.norm`,
      role: "main",
      inChannels,
      outChannels: layer.channels,
      kernel: layer.kernel,
      stride: layer.stride,
      padding: layer.padding,
      norm: layer.norm,
    });
    inChannels = layer.channels;
    for (let j = 0; j < layer.residual_blocks; j++) {
      for (const [n, role] of [[1, "first"], [2, "second"]] as const) {
        specs.push({
          prefix: `encoder.${i}.residual.${j}.conv${n}`,
          normPrefix: `encoder.${i}.residual.${j}.norm${n}`,
          role,
          inChannels,
          outChannels: inChannels,
          kernel: 3,
          stride: 1,
          padding: 1,
          norm: layer.norm,
        });
      }
    }
  });
  return specs;
}

/**
 * How many rows each convolution yields for a whole signal, in the order of {@linkcode convSpecs}:
 * `floor((n + 2·padding − kernel) / stride) + 1`; 0 from a layer on that gets too few, and all 0
 * without audio.
 */
export function totalRows(config: ModelConfig, samples: number): number[] {
  let rows = samples < 1 ? 0 : samples + delayOf(config);
  return convSpecs(config).map(({ kernel, stride, padding }) => {
    rows = rows < 1 ? 0 : Math.max(0, Math.floor((rows + 2 * padding - kernel) / stride) + 1);
    return rows;
  });
}

/**
 * Frames that `samples` samples give offline; 0 when any layer gets too few.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { offlineFrames } from "./architecture.ts";
 * import { loadWeights } from "./weights.ts";
 *
 * const { config } = await loadWeights("weights/cpc-base");
 * assert.equal(offlineFrames(config, 16_000), 100);
 * ```
 */
export function offlineFrames(config: ModelConfig, samples: number): number {
  return totalRows(config, samples).at(-1)!;
}

/**
 * The fewest samples that give one frame offline (with right padding). A shorter clip gives none.
 */
export function minimumSamples(config: ModelConfig): number {
  const needed = convSpecs(config).reduceRight(
    (rows, conv) => Math.max(1, (rows - 1) * conv.stride + conv.kernel - 2 * conv.padding),
    1,
  );
  return Math.max(1, needed - delayOf(config));
}

/** Zeros that the model hears before the audio. */
export function delayOf({ delay_samples = 0 }: Pick<ModelConfig, "delay_samples">): number {
  return delay_samples;
}

/** Frames that are exact once `samples` samples are in, while more may follow. */
export function exactFrames(plan: StreamingPlan, samples: number): number {
  return Math.max(0, Math.floor((samples - plan.lookaheadSamples) / plan.hopSamples) + 1);
}

/**
 * Derives the streaming plan of an encoder.
 *
 * Output row o of a convolution needs input rows up to `o · stride − padding + kernel − 1`. Take
 * the least delay of the last layer that leaves no sample short, and walk back with nothing to
 * spare. Then every layer's windows fall on the offline grid, each layer keeps
 * `(blocks − 1) · stride` rows of history, and a frame is ready with the very sample that it needs
 * last.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { streamingPlan } from "./architecture.ts";
 * import { loadWeights } from "./weights.ts";
 *
 * const plan = streamingPlan((await loadWeights("weights/cpc-base")).config);
 * assert.equal(plan.hopSamples, 160);
 * assert.equal(plan.lookaheadSamples, 312);
 * ```
 */
export function streamingPlan(config: ModelConfig): StreamingPlan {
  const specs = convSpecs(config);
  let hopSamples = 1;
  let receptiveFieldSamples = 1;
  let lookaheadSamples = 1;
  for (const { kernel, stride, padding } of specs) {
    receptiveFieldSamples += (kernel - 1) * hopSamples;
    lookaheadSamples += (kernel - 1 - padding) * hopSamples;
    hopSamples *= stride;
  }
  const delayFrames = Math.max(0, Math.ceil(lookaheadSamples / hopSamples) - 1);
  let delayRows = delayFrames;
  let rowsPerHop = 1;
  const convs = specs.toReversed().map((spec): ConvPlan => {
    const { kernel, stride, padding } = spec;
    const blocks = Math.ceil(kernel / stride);
    const tailRows = (blocks - 1) * stride;
    const plan = {
      ...spec,
      blocks,
      frontTaps: blocks * stride - kernel,
      tailRows,
      rowsPerHop,
      delayRows,
    };
    delayRows = (delayRows + 1) * stride + padding - kernel; // of its input
    rowsPerHop *= stride;
    return plan;
  }).toReversed();
  const youngHops = Math.max(...convs.map((conv) => Math.ceil(conv.delayRows / conv.rowsPerHop)));
  return {
    hopSamples,
    receptiveFieldSamples,
    lookaheadSamples: lookaheadSamples - delayOf(config),
    leadSamples: delayRows + delayOf(config),
    delayFrames,
    youngHops,
    convs,
  };
}
