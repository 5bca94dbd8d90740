/** `POST /v1/score`: the training objective on given recordings. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "@hono/zod-openapi";
import { CpcError } from "../errors.ts";
import { minimumSamples, offlineFrames } from "../model/architecture.ts";
import {
  chooseFrame,
  figuresOf,
  meanFigures,
  type ObjectiveFigures,
  overall,
  scorableFrames,
  totalOf,
} from "../model/objective.ts";
import { MAX_SEED, seeded } from "../model/seeded.ts";
import type { Gate } from "../streaming/gate.ts";
import type { Want } from "../streaming/messages.ts";
import type { EnginePool, PoolModel } from "../streaming/pool.ts";
import type { ServerContext } from "./context.ts";
import { openClips, parseOptions, readClips } from "./embed_request.ts";
import type { FileWork } from "./memory_budget.ts";
import { AUDIO_TYPES, embeddingJsonSchema, errorAnswers } from "./schemas.ts";

/** Bounds of a batch: the work grows with the square of its windows, the memory with its frames. */
export const SCORE_LIMITS = {
  /** Most windows of one batch. */
  windows: 512,
  /** Longest window, in samples. */
  windowSamples: 160_000,
  /** Most predictions of a batch with `times=all`, as floats (windows · frames · K · Z). */
  allFloats: 64 * 1024 * 1024,
} as const;

/** Windows computed side by side. */
const SIDE_BY_SIDE = 8;
const NOTHING: Want = { context: false, latent: false, prediction: [], score: [], every: 1 };

const wholeNumber = (min: number, max: number) => z.coerce.number().pipe(z.int().min(min).max(max));

/** Options of `POST /v1/score`, wherever they stand. */
export const scoreOptionsSchema = z.strictObject({
  model: z.string().min(1).max(200).optional(),
  window: wholeNumber(1, SCORE_LIMITS.windowSamples).default(20_480).openapi({ description: "samples at 16 kHz" }),
  seed: wholeNumber(0, MAX_SEED).default(0).openapi({ description: "draws t" }),
  t: wholeNumber(0, SCORE_LIMITS.windowSamples).optional().openapi({ description: "this frame instead of a drawn one" }),
  times: z.enum(["one", "all"]).default("one"),
}).openapi("ScoreOptions");
/** Parsed {@linkcode scoreOptionsSchema}. */
export type ScoreOptions = z.infer<typeof scoreOptionsSchema>;

const figures = { nce: z.number(), accuracy: z.number() };
const scoreSchema = z.object({
  ...figures,
  steps: z.array(z.object({ k: z.int(), ...figures })),
  windows: z.int(),
  t: z.array(z.int()),
  model: z.string(),
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
            schema: z.object({ file: z.array(file).min(1) }).extend(scoreOptionsSchema.partial().shape),
          },
          "application/json": { schema: embeddingJsonSchema.extend(scoreOptionsSchema.partial().shape) },
        },
      },
    },
    responses: {
      200: { description: "the figures", content: { "application/json": { schema: scoreSchema } } },
      ...errorAnswers(400, 401, 403, 404, 413, 415, 422, 429, 503),
    },
  });
  app.post("/v1/score", async (c) => {
    if (ctx.phase !== "serving") throw new CpcError("draining", "the server is stopping", { retryAfterMs: 1000 });
    const started = performance.now();
    const memory = budget.share();
    try {
      const { files, options: given } = await readClips(c, memory);
      const options = parseOptions(scoreOptionsSchema, given);
      const model = ctx.pool.model(options.model);
      const { signal } = c.req.raw;
      const clips = await openClips(files, { model, signal });
      const decoded = performance.now();
      const answer = await scoreClips(ctx.pool, clips, { model, options, signal, gate });
      ctx.metrics.audioReceived(clips.reduce((sum, { seconds }) => sum + seconds, 0));
      const [decodeMs, modelMs] = [decoded - started, performance.now() - decoded];
      c.header("Server-Timing", `decode;dur=${decodeMs.toFixed(1)}, queue;dur=0.0, model;dur=${modelMs.toFixed(1)}`);
      return c.json(answer, 200);
    } finally {
      memory.giveBack();
    }
  });
}

/** A recording to be cut into windows. */
export interface ScoredClip {
  /** At 16 kHz. */
  readonly samples: number;
  /** Mono at 16 kHz, in pieces. */
  read(signal?: AbortSignal): AsyncIterable<Float32Array<ArrayBuffer>> | Iterable<Float32Array<ArrayBuffer>>;
}

/**
 * Scores the windows of recordings as one batch.
 *
 * @throws {CpcError} `invalid_option` for a model without predictors, a t out of range, fewer than 2 windows or too many;
 *   `audio_too_short` for a window without a frame to score at
 */
export async function scoreClips(
  pool: EnginePool,
  clips: readonly ScoredClip[],
  { model, options, signal, gate }: { model: PoolModel; options: ScoreOptions; signal?: AbortSignal; gate?: Gate },
): Promise<z.infer<typeof scoreSchema>> {
  const { steps: K, latent: Z } = model.layout.dims;
  const windows = clips.reduce((sum, { samples }) => sum + Math.floor(samples / options.window), 0);
  const { from, to } = framesToScore(model, options);
  const [least, most] = [2, options.times === "all" ? mostWindows((to - from) * K * Z) : SCORE_LIMITS.windows];
  if (windows < least || windows > most) {
    const lengths = clips.slice(0, 8).map(({ samples }) => samples).join(", ") + (clips.length > 8 ? ", …" : "");
    throw new CpcError(
      "invalid_option",
      `a batch has ${least} to ${most} windows${
        options.times === "all" ? " with times=all" : ""
      }; windows of ${options.window} samples ` +
        `cut from recordings of ${lengths} samples (at 16 kHz) make ${windows}`,
      { param: "window" },
    );
  }
  const batch: WindowRows[] = new Array(windows);
  const next = cut(clips, { length: options.window, signal });
  const sides = await Promise.allSettled(Array.from({ length: Math.min(SIDE_BY_SIDE, windows) }, async () => {
    for await (const { index, samples } of next) {
      signal?.throwIfAborted();
      const leave = await gate?.enter(signal);
      try {
        batch[index] = await computeWindow(pool, samples, { model, from, to });
      } finally {
        leave?.();
      }
    }
  }));
  for (const side of sides) if (side.status === "rejected") throw side.reason;
  const each: ObjectiveFigures[] = [];
  for (let t = from; t < to; t++) {
    const future = joined(batch, (rows) => rows.latent.subarray((t - from) * Z, (t - from + K) * Z));
    const predictions = joined(batch, (rows) => rows.prediction.subarray((t - from) * K * Z, (t - from + 1) * K * Z));
    const steps = [];
    for (let k = 1; k <= K; k++) {
      signal?.throwIfAborted();
      steps.push(figuresOf(totalOf({ windows, steps: K, future, predictions }, k), k));
      await turn(); // live streams share this thread
    }
    each.push(overall(steps));
  }
  const t = Array.from({ length: to - from }, (_, i) => from + i);
  return { ...meanOf(each), windows, t, model: model.weights.id };
}

function meanOf(each: readonly ObjectiveFigures[]) {
  const { nce, accuracy, steps } = meanFigures(each);
  return { nce, accuracy, steps: [...steps] };
}

/** Most windows of a batch with `times=all`. */
function mostWindows(floatsPerWindow: number): number {
  return Math.max(2, Math.min(SCORE_LIMITS.windows, Math.floor(SCORE_LIMITS.allFloats / floatsPerWindow)));
}

/** The frames to score at: `from`, and `to` that is no longer one. */
function framesToScore(model: PoolModel, { window, seed, t, times }: ScoreOptions): { from: number; to: number } {
  const { config } = model.weights;
  const { steps } = model.layout.dims;
  if (steps === 0) throw new CpcError("invalid_option", "this model has no predictors: it cannot be scored", { param: "model" });
  if (times === "all" && t !== undefined) {
    throw new CpcError("invalid_option", `times=all scores at every frame: leave out t, got ${t}`, { param: "t" });
  }
  const frames = offlineFrames(config, window);
  if (frames <= steps) {
    const least = minimumSamples(config) + steps * model.layout.plan.hopSamples; // one frame more for each hop
    throw new CpcError(
      "audio_too_short",
      `option window must be ${least} samples or more, for ${
        steps + 1
      } frames (one more than the steps predicted), got ${window}`,
      { param: "window" },
    );
  }
  if (times === "all") return { from: 0, to: scorableFrames({ frames, steps }) };
  const chosen = chooseFrame({ frames, steps }, { t, random: seeded(seed) });
  return { from: chosen, to: chosen + 1 };
}

/** The windows of recordings in order; what is left at a recording's end is dropped. */
async function* cut(
  clips: readonly ScoredClip[],
  { length, signal }: { length: number; signal?: AbortSignal },
): AsyncGenerator<{ index: number; samples: Float32Array<ArrayBuffer> }> {
  let index = 0;
  for (const clip of clips) {
    let window = new Float32Array(length);
    let filled = 0;
    for await (const piece of clip.read(signal)) {
      for (let at = 0; at < piece.length;) {
        const part = piece.subarray(at, at + length - filled);
        window.set(part, filled);
        at += part.length;
        filled += part.length;
        if (filled < length) continue;
        yield { index: index++, samples: window };
        window = new Float32Array(length);
        filled = 0;
      }
    }
  }
}

/** What is kept of a window scored at frames `from … to`. */
interface WindowRows {
  /** z_{from+1} … z_{to−1+K}, `[to − from − 1 + K, Z]` */
  readonly latent: Float32Array;
  /** `[to − from, K, Z]` */
  readonly prediction: Float32Array;
}

/** Computes one window as a recording of its own. Frames before `from` are not sent, frames after the last one needed not computed. */
async function computeWindow(
  pool: EnginePool,
  samples: Float32Array<ArrayBuffer>,
  { model: { layout, weights }, from, to }: { model: PoolModel; from: number; to: number },
): Promise<WindowRows> {
  const { steps: K, latent: Z } = layout.dims;
  const { hopSamples, lookaheadSamples } = layout.plan;
  const rows = { latent: new Float32Array((to - from - 1 + K) * Z), prediction: new Float32Array((to - from) * K * Z) };
  const want: Want = { ...NOTHING, latent: true, prediction: Array.from({ length: K }, (_, i) => i + 1) };
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {}); // thrown where it is waited for
  const stream = pool.open({
    model: weights.id,
    priority: "file",
    want: from === 0 ? want : NOTHING,
    onFrames({ first, count, data }) {
      for (let i = 0; i < count; i++) {
        const frame = first + i;
        if (frame > from && frame < to + K) rows.latent.set(data.subarray(i * Z, (i + 1) * Z), (frame - from - 1) * Z);
        if (frame < from || frame >= to) continue;
        const at = count * Z + i * K * Z;
        rows.prediction.set(data.subarray(at, at + K * Z), (frame - from) * K * Z);
      }
    },
    onError: broken.reject,
  });
  const samplesFor = (frames: number) =>
    frames === 0 ? 0 : Math.min(samples.length, (frames - 1) * hopSamples + lookaheadSamples);
  const reached = async (promise: Promise<number>) => await Promise.race([promise, broken.promise]);
  try {
    const known = samplesFor(from);
    if (known > 0) {
      stream.push(samples.slice(0, known));
      await reached(stream.drained());
      stream.update(want);
    }
    const end = samplesFor(to + K);
    stream.push(samples.slice(known, end));
    if (end === samples.length) await reached(stream.finish());
    else await reached(stream.drained());
    return rows;
  } finally {
    stream.release();
  }
}

/** The same part of every window, one after the other. */
function joined(batch: readonly WindowRows[], part: (rows: WindowRows) => Float32Array): Float32Array {
  const parts = batch.map(part);
  const out = new Float32Array(parts.length * parts[0].length);
  parts.forEach((data, i) => out.set(data, i * data.length));
  return out;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
