/** `POST /v1/score`: the training objective on given recordings. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "@hono/zod-openapi";
import { CpcError } from "../errors.ts";
import { MAX_SEED } from "../model/seeded.ts";
import { SCORE_LIMITS, scoreClips } from "../recordings/score_clips.ts";
import type { ServerContext } from "./context.ts";
import type { FileWork } from "../recordings/memory_budget.ts";
import { AUDIO_TYPES, embeddingJsonSchema, errorAnswers } from "./schemas.ts";
import { openClips } from "../recordings/clips.ts";
import { parseOptions } from "../recordings/options.ts";
import { readClips } from "./clip_body.ts";

/** A number in JSON, or its digits in a query or form. */
const wholeNumber = (min: number, max: number) =>
  z.preprocess(
    (value) => typeof value === "string" && /^\d{1,10}$/.test(value) ? Number(value) : value,
    z.int().min(min).max(max),
  );

/** Options of `POST /v1/score`, wherever they stand. */
export const scoreOptionsSchema = z.strictObject({
  model: z.string().min(1).max(200).optional(),
  window: wholeNumber(1, SCORE_LIMITS.windowSamples).default(20_480).openapi({
    description: "samples at 16 kHz",
  }),
  seed: wholeNumber(0, MAX_SEED).default(0).openapi({ description: "draws t" }),
  t: wholeNumber(0, SCORE_LIMITS.windowSamples).optional().openapi({
    description: "this frame instead of a drawn one",
  }),
  times: z.enum(["one", "all"]).default("one"),
}).openapi("ScoreOptions");
/** Parsed {@linkcode scoreOptionsSchema}. */
export type ScoreOptions = z.infer<typeof scoreOptionsSchema>;

const figures = {
  nce: z.number().openapi({ description: "in nats" }),
  accuracy: z.number().openapi({ description: "0 to 1" }),
};
const networkFigures = { ...figures, steps: z.array(z.object({ k: z.int(), ...figures })) };
const scoreSchema = z.object({
  ...networkFigures,
  windows: z.int(),
  t: z.array(z.int()).openapi({ description: "the frame scored at, or all of them" }),
  model: z.string(),
  forward: z.object(networkFigures).optional().openapi({
    description:
      "of a model with a reversed network: the forward network's own figures; those above are the means of both",
  }),
  reverse: z.object(networkFigures).optional().openapi({
    description:
      "of a model with a reversed network: its own figures, hearing each window backwards, at the same t",
  }),
}).openapi("Score");

/** Mounts the route. */
export function mountScore(app: OpenAPIHono, ctx: ServerContext, { budget, gate }: FileWork): void {
  const file = z.string().openapi({ format: "binary" });
  app.openAPIRegistry.registerPath({
    method: "post",
    path: "/v1/score",
    summary: "The training objective on recordings: see docs/scoring.md",
    request: {
      query: scoreOptionsSchema,
      body: {
        content: {
          ...Object.fromEntries(AUDIO_TYPES.map((type) => [type, { schema: file }])),
          "multipart/form-data": {
            schema: z.object({ file: z.array(file).min(1) }).extend(
              scoreOptionsSchema.partial().shape,
            ),
          },
          "application/json": {
            schema: embeddingJsonSchema.extend(scoreOptionsSchema.partial().shape),
          },
        },
      },
    },
    responses: {
      200: { description: "the figures", content: { "application/json": { schema: scoreSchema } } },
      ...errorAnswers(400, 401, 403, 404, 413, 415, 422, 429, 503),
    },
  });
  app.post("/v1/score", async (c) => {
    if (ctx.phase !== "serving") {
      throw new CpcError("draining", "the server is stopping", { retryAfterMs: 1000 });
    }
    const started = performance.now();
    const memory = budget.share();
    try {
      const { files, options: given } = await readClips(c, memory);
      const options = parseOptions(scoreOptionsSchema, given);
      const model = ctx.pool.model(options.model);
      const { signal } = c.req.raw;
      const clips = await openClips(files, { model, signal });
      const decoded = performance.now();
      const { figures, queueMs } = await scoreClips(ctx.pool, clips, {
        model,
        options,
        signal,
        gate,
      });
      ctx.metrics.audioReceived(clips.reduce((sum, { seconds }) => sum + seconds, 0));
      const [decodeMs, modelMs] = [decoded - started, performance.now() - decoded - queueMs];
      c.header(
        "Server-Timing",
        `decode;dur=${decodeMs.toFixed(1)}, queue;dur=${queueMs.toFixed(1)}, model;dur=${
          modelMs.toFixed(1)
        }`,
      );
      return c.json({ ...figures, model: model.weights.id }, 200);
    } finally {
      memory.giveBack();
    }
  });
}
