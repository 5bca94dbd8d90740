/**
 * The stream protocol as data: how the server answers; `client_messages.ts` has what a client may
 * send. The schemas are published in `/asyncapi.json`; `docs/protocol.md` explains them.
 */
import { z } from "zod";
import { STREAM_ENCODINGS } from "../../audio/stream_encodings.ts";
import { limitsSchema } from "./limits.ts";
import { outputName } from "./selection.ts";

/** Text messages from the server. */
export const serverMessageSchemas = {
  ready: z.object({
    type: z.literal("ready"),
    session: z.string(),
    resume: z.string(),
    model: z.string(),
    encoding: z.enum(STREAM_ENCODINGS),
    sample_rate: z.int(),
    channels: z.int(),
    channel: z.int().optional(),
    split: z.literal(1).optional(),
    frame_rate: z.number(),
    hop: z.int(),
    lookahead: z.int(),
    dims: z.object({ context: z.int(), latent: z.int(), steps: z.int() }),
    output: z.array(outputName),
    steps: z.array(z.int()),
    every: z.int(),
    voice: z.literal(true).optional(),
    format: z.enum(["json", "binary"]),
    dtype: z.enum(["f32", "f16"]),
    limits: limitsSchema,
    resumed: z.literal(true).optional(),
    samples: z.int().optional(),
    segment: z.int().optional(),
    bytes: z.int().optional(),
  }),
  frames: z.object({
    type: z.literal("frames"),
    channel: z.int().optional(),
    first: z.int(),
    count: z.int(),
    time: z.number(),
    context: z.array(z.array(z.number())).optional(),
    latent: z.array(z.array(z.number())).optional(),
    prediction: z.array(z.array(z.array(z.number()))).optional(),
    score: z.array(
      z.object({
        nce: z.array(z.number()),
        correct: z.array(z.int().min(0).max(1)),
        surprise: z.number(),
      }).nullable(),
    ).optional(),
  }),
  head: z.object({
    type: z.literal("head"),
    name: z.string(),
    channel: z.int().optional(),
    first: z.int(),
    count: z.int(),
    time: z.number(),
    rows: z.array(z.record(z.string(), z.array(z.unknown()))),
  }),
  event: z.object({
    type: z.literal("event"),
    head: z.string(),
    channel: z.int().optional(),
    event: z.string(),
    state: z.enum(["start", "end"]),
    time: z.number(),
  }),
  marked: z.object({
    type: z.literal("marked"),
    id: z.unknown(),
    samples: z.int(),
    frames: z.int(),
    bytes: z.int().optional(),
  }),
  reset: z.object({ type: z.literal("reset"), segment: z.int() }),
  updated: z.object({
    type: z.literal("updated"),
    output: z.array(outputName),
    steps: z.array(z.int()),
    every: z.int(),
    voice: z.literal(true).optional(),
  }),
  done: z.object({
    type: z.literal("done"),
    samples: z.int(),
    frames: z.int(),
    seconds: z.number(),
    stats: z.object({
      audio_s: z.number(),
      compute_s: z.number(),
      latency_mean_ms: z.number(),
      latency_p99_ms: z.number(),
      backlog_max_s: z.number(),
    }),
  }),
  warning: z.object({
    type: z.literal("warning"),
    code: z.enum(["idle", "backlog", "slow_reader", "draining", "store"]),
    message: z.string(),
    resume: z.string().optional(),
  }),
  error: z.object({
    type: z.literal("error"),
    code: z.string(),
    message: z.string(),
    fatal: z.boolean(),
    retryable: z.boolean(),
    retry_after_ms: z.int().optional(),
    param: z.string().optional(),
    request: z.string().optional(),
  }),
} as const;

/** Rows of a stream as text: `frames`. */
export type FramesMessage = z.infer<typeof serverMessageSchemas.frames>;

/** Rows of a head as text: `head`. */
export type HeadMessage = z.infer<typeof serverMessageSchemas.head>;

/** Messages that carry rows: they are written as text at once. */
type RowMessages = "frames" | "head";

/** A text message from the server that carries no rows. */
export type ServerMessage = {
  [T in Exclude<keyof typeof serverMessageSchemas, RowMessages>]: z.infer<
    typeof serverMessageSchemas[T]
  >;
}[Exclude<keyof typeof serverMessageSchemas, RowMessages>];
