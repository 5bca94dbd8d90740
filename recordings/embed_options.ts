/** Options of `POST /v1/embeddings` and of `deno task embed`. */
import { z } from "zod";
import { CpcError } from "../errors.ts";
import type { PoolModel } from "../inference/models.ts";
import { checkAsked, checkHeads, isHead } from "../inference/want.ts";
import { headOutputSchema } from "../model/heads/spec.ts";
import { wholeNumber } from "../options.ts";

/** Outputs for a recording. */
export const FILE_OUTPUTS = ["context", "latent", "prediction"] as const;
/** One of {@linkcode FILE_OUTPUTS}. */
export type FileOutput = typeof FILE_OUTPUTS[number];
/** One of them, or a head's rows. */
const outputName = z.union(
  [z.enum(FILE_OUTPUTS), headOutputSchema],
  `takes ${FILE_OUTPUTS.join(", ")} and head.NAME`,
);
/** How frames become one vector. */
export const POOLS = ["none", "mean", "max", "last"] as const;
/** Formats of answers. */
export const FORMATS = ["json", "npy", "npz"] as const;
/** One of {@linkcode FORMATS}. */
export type Format = typeof FORMATS[number];

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
  model: z.string().min(1).max(200).optional().meta({
    description: "id of a loaded model; default: the first",
  }),
  output: list(outputName).default(["context"]).meta({
    type: "string",
    example: "context,latent",
  }),
  pool: z.enum(POOLS).default("none"),
  steps: list(wholeNumber(1, 128)).optional().meta({ type: "string", example: "1,2,12" }),
  format: z.enum(FORMATS).optional().meta({
    description: "default: by the Accept header, else json",
  }),
  split: z.preprocess(
    (value) => value === "1" ? 1 : value,
    z.literal(1, "must be 1, or left out"),
  ).optional().meta({
    type: "integer",
    description: "1: features of every channel instead of their mean",
  }),
}).meta({ id: "EmbeddingOptions" });
/** Parsed {@linkcode embeddingOptionsSchema}. */
export type EmbeddingOptions = z.infer<typeof embeddingOptionsSchema>;

/**
 * Refuses options that the model cannot serve.
 *
 * @throws {CpcError} `invalid_option`, naming the option
 */
export function checkEmbedding(
  { output, pool, steps, split }: Pick<EmbeddingOptions, "output" | "pool" | "steps" | "split">,
  { weights, layout }: PoolModel,
): void {
  checkAsked({ output, steps }, layout.dims);
  const { id: model, heads = [] } = weights;
  const how = "send recordings of two channels, with split=1";
  checkHeads(output, { model, heads, channels: split ? 2 : 1, how });
  const mono = heads.find(({ name, spec }) =>
    spec.channels === 1 && output.includes(`head.${name}`)
  );
  if (split && mono) {
    const why = `the head ${mono.name} hears one channel: leave out split`;
    throw new CpcError("invalid_option", why, { param: "split" });
  }
  if (pool !== "none" && output.some(isHead)) {
    throw new CpcError(
      "invalid_option",
      `option pool=${pool} makes one vector of all frames, but a head gives rows; ask for heads without it`,
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
