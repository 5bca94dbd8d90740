/** Shapes of REST requests and answers: what is parsed at run time and published in `/openapi.json`. */
import { z } from "@hono/zod-openapi";
import { ERROR_CODES, type ErrorCode } from "../errors.ts";
import { PRECISIONS } from "../model/engine.ts";

/** What a recording can be turned into. */
export const FILE_OUTPUTS = ["context", "latent", "prediction"] as const;
/** One of {@linkcode FILE_OUTPUTS}. */
export type FileOutput = typeof FILE_OUTPUTS[number];
/** How frames become one vector. */
export const POOLS = ["none", "mean", "max", "last"] as const;
/** How answers are written. */
export const FORMATS = ["json", "npy", "npz"] as const;
/** One of {@linkcode FORMATS}. */
export type Format = typeof FORMATS[number];

export const errorSchema = z.object({
  error: z.object({
    code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
    param: z.string().optional(),
  }),
}).openapi("Error");

const list = <T extends z.ZodType>(item: T) =>
  z.preprocess(
    (value) => typeof value === "string" ? value.split(",") : typeof value === "number" ? [value] : value,
    z.array(item).min(1).refine((values) => new Set(values).size === values.length, "names one twice"),
  );

/** A number in JSON, or its digits in a query or form. */
const wholeNumber = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : value, schema);

/** What recordings may be sent as; the content tells the kind, whatever the type says. */
export const AUDIO_TYPES = ["audio/wav", "audio/flac", "audio/ogg", "audio/mpeg", "application/octet-stream"] as const;

/** Options of `POST /v1/embeddings`, wherever they stand: query, form fields or JSON members. */
export const embeddingOptionsSchema = z.strictObject({
  model: z.string().min(1).max(200).optional().openapi({ description: "id of a loaded model; default: the first" }),
  output: list(z.enum(FILE_OUTPUTS)).default(["context"]).openapi({ type: "string", example: "context,latent" }),
  pool: z.enum(POOLS).default("none"),
  steps: list(wholeNumber(z.int().min(1).max(128))).optional().openapi({ type: "string", example: "1,2,12" }),
  format: z.enum(FORMATS).optional().openapi({ description: "default: by the Accept header, else json" }),
}).openapi("EmbeddingOptions");
/** Parsed {@linkcode embeddingOptionsSchema}. */
export type EmbeddingOptions = z.infer<typeof embeddingOptionsSchema>;

export const embeddingJsonSchema = z.object({
  input: z.array(z.base64()).min(1),
}).openapi("EmbeddingInput", { description: "base64 audio files; the options may stand beside it" });

const matrix = z.array(z.array(z.number()));
const vector = z.array(z.number());
export const embeddingsSchema = z.object({
  object: z.literal("list"),
  model: z.string(),
  frame_rate: z.number(),
  data: z.array(z.object({
    object: z.literal("embedding"),
    index: z.int(),
    seconds: z.number(),
    frames: z.int(),
    context: z.union([matrix, vector]).optional(),
    latent: z.union([matrix, vector]).optional(),
    prediction: z.union([z.array(matrix), matrix]).optional(),
  })),
  usage: z.object({ audio_seconds: z.number() }),
}).openapi("Embeddings");

export const modelSchema = z.object({
  id: z.string(),
  object: z.literal("model"),
  architecture: z.string(),
  dims: z.object({ latent: z.int(), context: z.int(), steps: z.int() }),
  reverse: z.object({ context: z.int(), steps: z.int(), scored: z.boolean(), streamed: z.literal(false) }).optional().openapi({
    description: "a second context network that hears recordings backwards: `POST /v1/score` takes it into account where it is " +
      "`scored`; streams and embeddings are those of the forward one, which `dims` describes",
  }),
  sample_rate: z.int(),
  frame_rate: z.number(),
  hop: z.int().openapi({ description: "samples per frame" }),
  receptive_field: z.int().openapi({ description: "samples that one latent sees" }),
  lookahead: z.int().openapi({ description: "samples, from a frame's own start, that must have come before it is exact" }),
  minimum_samples: z.int(),
  parameters: z.int(),
  precision: z.enum(PRECISIONS).openapi({ description: "what its encoder is computed in here" }),
  state_bytes: z.int().openapi({ description: "memory of one stream's state" }),
  training: z.unknown().optional(),
  metrics: z.unknown().optional(),
  license: z.string().nullish(),
}).openapi("Model");

export const modelsSchema = z.object({ object: z.literal("list"), data: z.array(modelSchema) }).openapi("Models");
export const statusSchema = z.object({ status: z.string() }).openapi("Status");

/** An answer of errors, for route declarations. */
export function errorAnswers(...statuses: number[]) {
  return Object.fromEntries(
    statuses.map((status) => [status, { description: "error", content: { "application/json": { schema: errorSchema } } }]),
  );
}
