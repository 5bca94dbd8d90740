/** Options of `POST /v1/embeddings` and of `deno task embed`. */
import { z } from "zod";
import { CpcError } from "../errors.ts";
import { DTYPES } from "../formats/float_bytes.ts";
import type { PoolModel } from "../inference/models.ts";
import { checkAsked, checkHeads, enrolledHead, isHead } from "../inference/want.ts";
import { headOutputSchema } from "../model/heads/spec.ts";
import { modelOption, oneOption, wholeNumber } from "../options.ts";

/** Outputs for a recording. */
export const FILE_OUTPUTS = ["context", "latent", "prediction"] as const;
/** One of {@linkcode FILE_OUTPUTS}. */
export type FileOutput = typeof FILE_OUTPUTS[number];
/** One of them, or a head's rows. */
const outputName = z.union(
  [z.enum(FILE_OUTPUTS), headOutputSchema],
  `takes ${FILE_OUTPUTS.join(", ")} and head.NAME`,
);
/** Outputs that are a vector of each frame. */
const VECTORS: readonly string[] = ["context", "latent"] satisfies FileOutput[];
/** How frames become one vector. */
export const POOLS = ["none", "mean", "max", "last"] as const;
/** Formats of answers. */
export const FORMATS = ["json", "npy", "npz", "safetensors", "ndjson"] as const;
/** One of {@linkcode FORMATS}. */
export type Format = typeof FORMATS[number];
/** How JSON writes `embedding`: numbers, or the base64 of 32-bit floats, little-endian. */
export const ENCODINGS = ["float", "base64"] as const;
/** One of {@linkcode ENCODINGS}. */
export type Encoding = typeof ENCODINGS[number];

/** A list in JSON, or with commas in a query or form. */
const list = <T extends z.ZodType>(item: T) =>
  z.preprocess(
    (value) =>
      typeof value === "string" ? value.split(",") : typeof value === "number" ? [value] : value,
    z.array(item).min(1).refine(
      (values) => new Set(values).size === values.length,
      "names one twice",
    ),
  );

/** The options, as query, form fields or JSON members. */
export const embeddingOptionsSchema = z.strictObject({
  model: modelOption,
  output: list(outputName).default(["context"]).meta({
    type: "string",
    example: "context,latent",
  }),
  pool: z.enum(POOLS).optional().meta({
    description: "default: none; mean with encoding_format",
  }),
  steps: list(wholeNumber(1, 128)).optional().meta({ type: "string", example: "1,2,12" }),
  format: z.enum(FORMATS).optional().meta({
    description: "default: by the Accept header, else json",
  }),
  dtype: z.enum(DTYPES).default("f32").meta({
    description: "of the numbers; f16 in npy, npz and safetensors alone",
  }),
  encoding_format: z.enum(ENCODINGS).optional().meta({
    description: "of the member `embedding`, as clients for OpenAI's API ask for it",
  }),
  split: oneOption.meta({
    type: "integer",
    description: "1: features of every channel instead of their mean",
  }),
}).meta({ id: "EmbeddingOptions" });
/** Parsed {@linkcode embeddingOptionsSchema}. */
export type EmbeddingOptions = z.infer<typeof embeddingOptionsSchema>;

/** The pooling in force: whoever names an encoding expects one vector of each recording. */
export function poolingOf(
  { pool, encoding_format: encoding }: Pick<EmbeddingOptions, "pool" | "encoding_format">,
): NonNullable<EmbeddingOptions["pool"]> {
  return pool ?? (encoding === undefined ? "none" : "mean");
}

/**
 * Refuses options that the answer's format cannot follow.
 *
 * @throws {CpcError} `invalid_option`, naming the option
 */
export function checkFormat(
  { dtype, encoding_format: encoding }: Pick<EmbeddingOptions, "dtype" | "encoding_format">,
  format: Format,
): void {
  if (dtype === "f16" && ["json", "ndjson"].includes(format)) {
    const why = `option dtype=f16 takes the formats npy, npz and safetensors, not ${format}`;
    throw new CpcError("invalid_option", why, { param: "dtype" });
  }
  if (encoding !== undefined && !["json", "ndjson"].includes(format)) {
    const why = `option encoding_format takes the formats json and ndjson, not ${format}`;
    throw new CpcError("invalid_option", why, { param: "encoding_format" });
  }
}

/**
 * Refuses options that the model cannot serve.
 *
 * @throws {CpcError} `invalid_option`, naming the option
 */
export function checkEmbedding(
  options: Pick<EmbeddingOptions, "output" | "pool" | "steps" | "split" | "encoding_format">,
  { weights, layout }: PoolModel,
): void {
  const { output, steps, split, encoding_format: encoding } = options;
  const pool = poolingOf(options);
  checkAsked({ output, steps }, layout.dims);
  const { id: model, heads = [] } = weights;
  const how = "send recordings of two channels, with split=1";
  checkHeads(output, { model, heads, channels: split ? 2 : 1, how });
  const enrolled = enrolledHead(output, heads);
  if (enrolled) {
    const why = `head.${enrolled} compares a live stream with an enrolled voice; for recordings, ` +
      "use POST /v1/compare";
    throw new CpcError("invalid_option", why, { param: "output" });
  }
  const mono = heads.find(({ name, spec }) =>
    spec.channels === 1 && output.includes(`head.${name}`)
  );
  if (split && mono) {
    const why = `the head ${mono.name} hears one channel: leave out split`;
    throw new CpcError("invalid_option", why, { param: "split" });
  }
  if (encoding !== undefined) {
    const why = pool === "none"
      ? "pool is none"
      : split
      ? "split=1 makes several"
      : output.some((one) => VECTORS.includes(one))
      ? undefined
      : `${output} is none`;
    if (why !== undefined) {
      throw new CpcError(
        "invalid_option",
        `option encoding_format takes one vector, of context or latent, but ${why}`,
        { param: "encoding_format" },
      );
    }
  }
  if (pool !== "none" && output.some(isHead)) {
    throw new CpcError(
      "invalid_option",
      `option pool=${pool} makes one vector of all frames, but a head gives rows; ask for ` +
        "heads without it",
      { param: "pool" },
    );
  }
}

/** Arrays of one recording's answer: a head has one for each of its outputs. */
export function arraysOf(
  { output }: Pick<EmbeddingOptions, "output">,
  { weights: { heads = [] } }: Pick<PoolModel, "weights">,
): number {
  return output.reduce((sum, one) => {
    const head = heads.find(({ name }) => one === `head.${name}`);
    return sum + (head ? head.spec.outputs.length : 1);
  }, 0);
}
