/** `POST /v1/embeddings`: recordings in, features out. */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { CpcError } from "../errors.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import type { Gate } from "../recordings/gate.ts";
import type { PoolModel } from "../inference/models.ts";
import { answerStream } from "./answer_stream.ts";
import type { ServerContext } from "./context.ts";
import {
  acceptedFormat,
  checkNpzSize,
  type Embedded,
  jsonAnswer,
  MEDIA_TYPES,
  npyAnswer,
  npzAnswer,
} from "../recordings/answers.ts";
import { checkAsked } from "../inference/want.ts";
import { embedClips } from "../recordings/embed_clips.ts";
import type { FileWork, MemoryShare } from "../recordings/memory_budget.ts";
import { AUDIO_TYPES, embeddingJsonSchema, embeddingsSchema, errorAnswers } from "./schemas.ts";
import { openClips } from "../recordings/clips.ts";
import { embeddingOptionsSchema, type Format, parseOptions } from "../recordings/options.ts";
import { readClips } from "./clip_body.ts";

/** Mounts the route. */
export function mountEmbeddings(
  app: OpenAPIHono,
  ctx: ServerContext,
  { budget, gate }: FileWork,
): void {
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
          ...Object.fromEntries(AUDIO_TYPES.map((type) => [type, raw])),
          "multipart/form-data": {
            schema: z.object({ file: z.array(file).min(1) }).extend(
              embeddingOptionsSchema.partial().shape,
            ),
          },
          "application/json": {
            schema: embeddingJsonSchema.extend(embeddingOptionsSchema.partial().shape),
          },
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
      ...errorAnswers(400, 401, 403, 404, 413, 415, 422, 429, 503),
    },
  });
  app.post("/v1/embeddings", async (c) => {
    if (ctx.phase !== "serving") {
      throw new CpcError("draining", "the server is stopping", { retryAfterMs: 1000 });
    }
    const memory = budget.share();
    try {
      return await embeddings(c, ctx, { memory, gate });
    } catch (error) {
      memory.giveBack();
      throw error;
    }
  });
}

/** Answers one request. What it holds of the memory is given back when the answer has gone out. */
async function embeddings(
  c: Context,
  { config, pool, metrics, log }: ServerContext,
  { memory, gate }: { memory: MemoryShare; gate: Gate },
): Promise<Response> {
  const started = performance.now();
  const { signal } = c.req.raw;
  const { files, options: given } = await readClips(c, memory);
  const options = parseOptions(embeddingOptionsSchema, given);
  const model = pool.model(options.model);
  checkAsked(options, model.layout.dims);
  const clips = await openClips(files, { model, signal });
  const oneArray = clips.length === 1 && options.output.length === 1;
  const wished = options.format ?? acceptedFormat(c.req.header("accept"), oneArray);
  const format = wished === "npy" && !oneArray ? "npz" : wished; // npy holds one array
  const decoded = performance.now();
  const { embedded, queueMs } = await embedClips(pool, clips, {
    ...options,
    model,
    signal,
    gate,
    memory,
  });
  if (format === "npz") checkNpzSize(embedded);
  const modelMs = performance.now() - decoded - queueMs;
  metrics.audioReceived(clips.reduce((sum, { seconds }) => sum + seconds, 0));
  const timings = { decode: decoded - started, queue: queueMs, model: modelMs };
  const body = answerStream(answer(embedded, { format, model }), {
    stallMs: config.slowReaderTimeoutS * 1000,
    signal,
    onEnd(error) {
      memory.giveBack();
      if (error && !signal.aborted) {
        log.error("answer broke off", { path: c.req.path, error: String(error) });
      }
    },
  });
  return c.body(body, 200, {
    "Content-Type": MEDIA_TYPES[format],
    "Server-Timing": Object.entries(timings).map(([name, ms]) => `${name};dur=${ms.toFixed(1)}`)
      .join(", "),
  });
}

function answer(
  items: readonly Embedded[],
  { format, model }: { format: Format; model: PoolModel },
): AsyncIterable<Uint8Array> {
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
