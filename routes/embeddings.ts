/** `POST /v1/embeddings`: recordings in, features out. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import { answer, formatFor } from "../recordings/answers.ts";
import { ClipStreams } from "../recordings/clip_streams.ts";
import { embedClips } from "../recordings/embed_clips.ts";
import {
  arraysOf,
  checkEmbedding,
  checkFormat,
  embeddingOptionsSchema,
  poolingOf,
} from "../recordings/embed_options.ts";
import { frameLines, pooledLines } from "../recordings/ndjson_answer.ts";
import { acceptedFormat, MEDIA_TYPES } from "./accepted_format.ts";
import type { ServerContext } from "./context.ts";
import { type FileWork, mountClips } from "./recordings.ts";
import { binarySchema, embeddingsSchema, linesSchema } from "./schemas.ts";

/** The second is where clients for OpenAI's audio routes look. */
const PATHS = ["/v1/embeddings", "/v1/audio/embeddings"];

/** Mounts the route, by both its paths. */
export function mountEmbeddings(app: OpenAPIHono, ctx: ServerContext, work: FileWork): void {
  for (const path of PATHS) {
    mountClips(app, ctx, {
      ...work,
      route: {
        path,
        span: "embed",
        summary: "Features of recordings",
        schema: embeddingOptionsSchema,
        answers: {
          [MEDIA_TYPES.json]: { schema: embeddingsSchema },
          [MEDIA_TYPES.npy]: { schema: binarySchema },
          [MEDIA_TYPES.npz]: { schema: binarySchema },
          [MEDIA_TYPES.safetensors]: { schema: binarySchema },
          [MEDIA_TYPES.ndjson]: { schema: linesSchema },
        },
        check: checkEmbedding,
        split: (options) => options.split !== undefined,
        async compute({ options, accept, ...request }) {
          const { model, clips } = request;
          const arrays = clips.length * arraysOf(options, model);
          const format = formatFor(options.format ?? acceptedFormat(accept, arrays === 1), {
            arrays,
          });
          checkFormat(options, format);
          const [mediaType, pool] = [MEDIA_TYPES[format], poolingOf(options)];
          const how = { ...options, ...request, pool };
          const written = { model, dtype: options.dtype, encoding: options.encoding_format };
          if (format !== "ndjson") {
            const { embedded, queueMs } = await embedClips(ctx.pool, clips, how);
            return { queueMs, mediaType, pieces: answer(embedded, { ...written, format }) };
          }
          const frameRate = MODEL_SAMPLE_RATE / model.layout.plan.hopSamples;
          const lines = { ...written, clips, model: model.weights.id, frameRate };
          if (pool !== "none") {
            const { embedded, queueMs } = await embedClips(ctx.pool, clips, how);
            return { queueMs, mediaType, pieces: pooledLines(embedded, lines) };
          }
          const streams = new ClipStreams(ctx.pool, how);
          streams.check(clips);
          const pieces = frameLines(streams, { ...lines, signal: request.signal });
          return { queueMs: 0, mediaType, pieces };
        },
      },
    });
  }
}
