/** `POST /v1/embeddings`: recordings in, features out. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { answer, formatFor } from "../recordings/answers.ts";
import { embedClips } from "../recordings/embed_clips.ts";
import { arraysOf, checkEmbedding, embeddingOptionsSchema } from "../recordings/embed_options.ts";
import { acceptedFormat, MEDIA_TYPES } from "./accepted_format.ts";
import type { ServerContext } from "./context.ts";
import { type FileWork, mountClips } from "./recordings.ts";
import { binarySchema, embeddingsSchema } from "./schemas.ts";

/** Mounts the route. */
export function mountEmbeddings(app: OpenAPIHono, ctx: ServerContext, work: FileWork): void {
  mountClips(app, ctx, {
    ...work,
    route: {
      path: "/v1/embeddings",
      summary: "Features of recordings",
      schema: embeddingOptionsSchema,
      answers: {
        [MEDIA_TYPES.json]: { schema: embeddingsSchema },
        [MEDIA_TYPES.npy]: { schema: binarySchema },
        [MEDIA_TYPES.npz]: { schema: binarySchema },
      },
      check: checkEmbedding,
      split: (options) => options.split !== undefined,
      async compute({ options, accept, ...request }) {
        const { model, clips } = request;
        const arrays = clips.length * arraysOf(options, model);
        const format = formatFor(options.format ?? acceptedFormat(accept, arrays === 1), {
          arrays,
        });
        const { embedded, queueMs } = await embedClips(ctx.pool, clips, { ...options, ...request });
        const pieces = answer(embedded, { format, model });
        return { queueMs, mediaType: MEDIA_TYPES[format], pieces };
      },
    },
  });
}
