/** Schemas of REST requests and answers: parsed at run time and published in `/openapi.json`. */
import { z } from "@hono/zod-openapi";
import { ERROR_CODES, type ErrorCode } from "../errors.ts";
import { PRECISIONS } from "../model/engine.ts";

export const errorSchema = z.object({
  error: z.object({
    code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
    param: z.string().optional(),
  }),
}).openapi("Error");

/** Media types of recordings. The content decides the kind, whatever the type says. */
export const AUDIO_TYPES = [
  "audio/wav",
  "audio/flac",
  "audio/ogg",
  "audio/mpeg",
  "application/octet-stream",
] as const;

/** A file, as a body or a part of one. */
export const binarySchema = z.string().openapi({ format: "binary" });

export const clipsJsonSchema = z.object({
  input: z.union([z.array(z.base64()).min(1), z.base64()]),
}).openapi("EmbeddingInput", {
  description: "audio files in base64, or one; options may stand beside it",
});

const matrix = z.array(z.array(z.number()));
const vector = z.array(z.number());
const headRowsSchema = z.object({
  rate: z.number().openapi({ description: "rows a second" }),
  rows: z.array(z.record(z.string(), z.array(z.unknown()))),
}).openapi("HeadRows", { description: "of a head, as `head.NAME`: each output by its name" });
export const embeddingsSchema = z.object({
  object: z.literal("list"),
  model: z.string(),
  frame_rate: z.number(),
  data: z.array(
    z.object({
      object: z.literal("embedding"),
      index: z.int(),
      seconds: z.number(),
      frames: z.int(),
      embedding: z.union([vector, z.base64()]).optional().openapi({
        description: "with a pool: the vector of context, or else of latent; none with split=1",
      }),
      // with split=1, a row is one for each channel
      context: z.union([z.array(matrix), matrix, vector]).optional(),
      latent: z.union([z.array(matrix), matrix, vector]).optional(),
      prediction: z.union([z.array(z.array(matrix)), z.array(matrix), matrix]).optional(),
    }).catchall(headRowsSchema),
  ),
  usage: z.object({ audio_seconds: z.number() }),
}).openapi("Embeddings");

/** Lines of JSON: see docs/rest.md. */
export const linesSchema = z.string().openapi({
  description: "a JSON object on each line: start, frames, head or embedding, done; or an error",
});

export const modelSchema = z.object({
  id: z.string(),
  object: z.literal("model"),
  architecture: z.string(),
  dims: z.object({ latent: z.int(), context: z.int(), steps: z.int() }),
  reverse: z.object({
    context: z.int(),
    steps: z.int(),
    scored: z.boolean(),
    streamed: z.literal(false),
  }).optional().openapi({
    description: "a second context network that hears recordings backwards: `POST /v1/score` " +
      "uses it if it is `scored`; streams and embeddings come from the forward one, which `dims` " +
      "describes",
  }),
  sample_rate: z.int(),
  frame_rate: z.number(),
  hop: z.int().openapi({ description: "samples per frame" }),
  receptive_field: z.int().openapi({ description: "samples that one latent sees" }),
  lookahead: z.int().openapi({
    description: "samples, from a frame's own start, that must be in before the frame is exact",
  }),
  minimum_samples: z.int(),
  parameters: z.int(),
  precision: z.enum(PRECISIONS).openapi({ description: "precision of its encoder on this server" }),
  state_bytes: z.int().openapi({ description: "memory of one stream's state" }),
  weights: z.string().optional().openapi({
    description: "folder of its files here, for browsers that compute (docs/browser.md)",
  }),
  heads: z.array(z.object({
    name: z.string(),
    input: z.enum(["context", "latent"]),
    channels: z.int(),
    every: z.int().openapi({ description: "frames of a row" }),
    rate: z.number().openapi({ description: "rows a second" }),
    outputs: z.array(z.object({
      name: z.string(),
      shape: z.array(z.int()),
      labels: z.array(z.string()).optional(),
    })),
    events: z.array(z.string()),
    row_us: z.number().optional().openapi({
      description: "microseconds that a row takes in a batch, measured at start",
    }),
    voice: z.literal(true).optional().openapi({
      description: "it compares with a voice, which `update` enrols (docs/speaker.md)",
    }),
    state_bytes: z.int(),
  })).openapi({ description: "networks on its features: `output=head.NAME` (docs/heads.md)" }),
  training: z.unknown().optional(),
  metrics: z.unknown().optional(),
  license: z.string().nullish(),
}).openapi("Model");

export const modelsSchema = z.object({ object: z.literal("list"), data: z.array(modelSchema) })
  .openapi("Models");
export const statusSchema = z.object({ status: z.string() }).openapi("Status");

/** As the Open Inference Protocol has it, with our code beside. */
const inferErrorSchema = z.object({
  error: z.string(),
  code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
  param: z.string().optional(),
}).openapi("InferError");

/** Error answers of the Open Inference Protocol, for route declarations. */
export function inferErrors(...statuses: number[]) {
  return refusals(inferErrorSchema, statuses);
}

/** Error answers, for route declarations. */
export function errorAnswers(...statuses: number[]) {
  return refusals(errorSchema, statuses);
}

/** Every route may answer 421 as well. */
function refusals<Schema extends z.ZodType>(schema: Schema, statuses: readonly number[]) {
  const answer = { description: "error", content: { "application/json": { schema } } };
  return Object.fromEntries([421, ...statuses].map((status) => [status, answer]));
}
