/** `POST /v1/embeddings`: recordings in, features out. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "@hono/zod-openapi";
import { LIMITS } from "../config.ts";
import { CpcError } from "../errors.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import { embedAudio } from "../streaming/embed.ts";
import type { Want } from "../streaming/messages.ts";
import type { EnginePool, PoolModel } from "../streaming/pool.ts";
import type { ServerContext } from "./context.ts";
import { acceptedFormat, type Embedded, type Feature, jsonAnswer, MEDIA_TYPES, npyAnswer, npzAnswer } from "./embed_answer.ts";
import { type FramedClip, openClips, parseOptions, readClips } from "./embed_request.ts";
import {
  embeddingJsonSchema,
  type EmbeddingOptions,
  embeddingOptionsSchema,
  embeddingsSchema,
  errorAnswers,
  type FileOutput,
  type Format,
} from "./schemas.ts";

/** Recordings of one request that are computed side by side. */
const SIDE_BY_SIDE = 8;

/** Mounts the route. */
export function mountEmbeddings(app: OpenAPIHono, ctx: ServerContext): void {
  const file = z.string().openapi({ format: "binary" });
  const raw = { schema: file };
  app.openAPIRegistry.registerPath({
    method: "post",
    path: "/v1/embeddings",
    summary: "Features of recordings",
    request: {
      query: embeddingOptionsSchema,
      body: {
        content: {
          "audio/wav": raw,
          "application/octet-stream": raw,
          "multipart/form-data": {
            schema: z.object({ file: z.array(file).min(1) }).extend(embeddingOptionsSchema.partial().shape),
          },
          "application/json": { schema: embeddingJsonSchema.extend(embeddingOptionsSchema.partial().shape) },
        },
      },
    },
    responses: {
      200: {
        description: "the features",
        content: {
          "application/json": { schema: embeddingsSchema },
          "application/x-npy": { schema: file },
          "application/zip": { schema: file },
        },
      },
      ...errorAnswers(400, 401, 404, 413, 415, 422, 503),
    },
  });
  app.post("/v1/embeddings", async (c) => {
    if (ctx.phase !== "serving") throw new CpcError("draining", "the server is stopping", { retryAfterMs: 1000 });
    const started = performance.now();
    const { files, options: given } = await readClips(c);
    const options = parseOptions(embeddingOptionsSchema, given);
    const model = ctx.pool.model(options.model);
    checkOptions(options, model);
    const clips = await openClips(files, { model });
    const format = options.format ?? acceptedFormat(c.req.header("accept"), clips.length === 1 && options.output.length === 1);
    if (format === "npy" && (clips.length > 1 || options.output.length > 1)) {
      throw new CpcError("invalid_option", "format=npy holds one output of one recording; use npz", { param: "format" });
    }
    const decoded = performance.now();
    const items = await embedClips(ctx.pool, clips, { model, options, signal: c.req.raw.signal });
    const modelMs = performance.now() - decoded;
    ctx.metrics.audioReceived(clips.reduce((sum, { seconds }) => sum + seconds, 0));
    c.header("Content-Type", MEDIA_TYPES[format]);
    c.header(
      "Server-Timing",
      `decode;dur=${(decoded - started).toFixed(1)}, queue;dur=${items.queueMs.toFixed(1)}, model;dur=${modelMs.toFixed(1)}`,
    );
    return c.body(ReadableStream.from(answer(items.embedded, { format, model })));
  });
}

function answer(items: readonly Embedded[], { format, model }: { format: Format; model: PoolModel }): AsyncIterable<Uint8Array> {
  const frameRate = MODEL_SAMPLE_RATE / model.layout.plan.hopSamples;
  if (format === "npy") return npyAnswer(items[0].features[0]);
  if (format === "npz") return npzAnswer(items);
  return encoded(jsonAnswer(items, { model: model.weights.id, frameRate }));
}

/** Text as UTF-8, in pieces worth sending. */
async function* encoded(text: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  let buffer = "";
  for await (const piece of text) {
    buffer += piece;
    if (buffer.length < 64 * 1024) continue;
    yield new TextEncoder().encode(buffer);
    buffer = "";
  }
  yield new TextEncoder().encode(buffer);
}

/**
 * Holds options against a model.
 *
 * @throws {CpcError} `invalid_option` for a step beyond K, or predictions of a model without predictors
 */
export function checkOptions(
  { output, steps }: Pick<EmbeddingOptions, "output" | "steps">,
  { layout: { dims } }: PoolModel,
): void {
  if (dims.steps === 0 && output.includes("prediction")) {
    throw new CpcError("invalid_option", "this model has no predictors: output takes context and latent", { param: "output" });
  }
  const beyond = steps?.find((k) => k > dims.steps);
  if (beyond !== undefined) {
    throw new CpcError("invalid_option", `option steps takes 1 to ${dims.steps} for this model, got ${beyond}`, {
      param: "steps",
    });
  }
}

/**
 * Computes the features of recordings: those that fit into memory side by side and before it resolves, so that a failure is an
 * error answer; larger ones while they are read.
 */
export async function embedClips(
  pool: EnginePool,
  clips: readonly FramedClip[],
  { model, options, signal }: { model: PoolModel; options: Omit<EmbeddingOptions, "format">; signal?: AbortSignal },
): Promise<{ embedded: Embedded[]; queueMs: number }> {
  const { dims } = model.layout;
  const steps = (options.steps ?? Array.from({ length: dims.steps }, (_, i) => i + 1)).toSorted((a, b) => a - b);
  const shapes: Record<FileOutput, number[]> = {
    context: [dims.context],
    latent: [dims.latent],
    prediction: [steps.length, dims.latent],
  };
  const width = (output: FileOutput) => shapes[output].reduce((a, b) => a * b, 1);
  const wantOf = (outputs: readonly FileOutput[]): Want => ({
    context: outputs.includes("context"),
    latent: outputs.includes("latent"),
    prediction: outputs.includes("prediction") ? steps : [],
    score: [],
    every: 1,
  });
  const outputs = (["context", "latent", "prediction"] as const).filter((output) => options.output.includes(output));
  const stream = (clip: FramedClip, wanted: readonly FileOutput[]) =>
    embedAudio(pool, clip.read(), { model: model.weights.id, want: wantOf(wanted), signal });

  const bytes = clips.reduce((sum, { frames }) => sum + frames, 0) * outputs.reduce((sum, output) => sum + width(output), 0) * 4;
  if (options.pool === "none" && bytes > LIMITS.bufferedAnswerBytes) {
    const embedded = clips.map((clip) => ({
      seconds: clip.seconds,
      frames: clip.frames,
      features: outputs.map((output) => ({
        output,
        shape: [clip.frames, ...shapes[output]],
        async *read() {
          for await (const block of stream(clip, [output])) yield block.data;
        },
      })),
    }));
    return { embedded, queueMs: 0 };
  }

  const startedMs = performance.now();
  let queueMs: number | undefined;
  const compute = async (clip: FramedClip): Promise<Embedded> => {
    const sinks = outputs.map((output) =>
      options.pool === "none" ? new Rows(clip.frames, width(output)) : new Pooled(options.pool, width(output))
    );
    for await (const { count, data } of stream(clip, outputs)) {
      queueMs ??= performance.now() - startedMs;
      let at = 0;
      outputs.forEach((output, i) => sinks[i].add(data.subarray(at, at += count * width(output))));
    }
    const features = outputs.map((output, i): Feature => ({
      output,
      shape: options.pool === "none" ? [clip.frames, ...shapes[output]] : shapes[output],
      async *read() {
        yield sinks[i].result();
      },
    }));
    return { seconds: clip.seconds, frames: clip.frames, features };
  };
  const embedded: Embedded[] = Array(clips.length);
  const next = clips.entries();
  await Promise.all(Array.from({ length: Math.min(SIDE_BY_SIDE, clips.length) }, async () => {
    for (const [i, clip] of next) embedded[i] = await compute(clip);
  }));
  return { embedded, queueMs: queueMs ?? 0 };
}

/** All rows. */
class Rows {
  readonly #data: Float32Array;
  #length = 0;
  constructor(rows: number, width: number) {
    this.#data = new Float32Array(rows * width);
  }
  add(rows: Float32Array): void {
    this.#data.set(rows, this.#length);
    this.#length += rows.length;
  }
  result(): Float32Array {
    return this.#data;
  }
}

/** All rows as one: their mean, maximum, or the last of them. */
class Pooled {
  readonly #values: Float64Array;
  readonly #kind: "mean" | "max" | "last";
  #rows = 0;
  constructor(kind: "mean" | "max" | "last", width: number) {
    this.#kind = kind;
    this.#values = new Float64Array(width).fill(kind === "max" ? -Infinity : 0);
  }
  add(rows: Float32Array): void {
    const values = this.#values;
    for (let at = 0; at < rows.length; at += values.length, this.#rows++) {
      for (let i = 0; i < values.length; i++) {
        const x = rows[at + i];
        if (this.#kind === "mean") values[i] += x;
        else if (this.#kind === "last" || x > values[i]) values[i] = x;
      }
    }
  }
  result(): Float32Array {
    return Float32Array.from(this.#values, (x) => this.#kind === "mean" ? x / this.#rows : x);
  }
}
