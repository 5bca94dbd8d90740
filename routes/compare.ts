/** `POST /v1/compare`: are two recordings by one speaker? */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import {
  checkComparison,
  compareClips,
  compareOptionsSchema,
} from "../recordings/compare_clips.ts";
import type { ServerContext } from "./context.ts";
import { type FileWork, mountClips } from "./recordings.ts";

const comparisonSchema = z.object({
  object: z.literal("comparison"),
  model: z.string(),
  cosine: z.number().openapi({ description: "of the contexts, pooled by their mean" }),
  same: z.boolean().nullable().openapi({
    description: "whether the cosine reaches the threshold; null for a model without a calibration",
  }),
  threshold: z.number().nullable().openapi({ description: "see docs/speaker.md for its errors" }),
  data: z.array(z.object({ index: z.int(), seconds: z.number(), frames: z.int() })),
  usage: z.object({ audio_seconds: z.number() }),
}).openapi("Comparison");

/** Mounts the route. */
export function mountCompare(app: OpenAPIHono, ctx: ServerContext, work: FileWork): void {
  mountClips(app, ctx, {
    ...work,
    route: {
      path: "/v1/compare",
      span: "compare",
      summary: "Are two recordings by one speaker? See docs/speaker.md",
      schema: compareOptionsSchema,
      answers: { "application/json": { schema: comparisonSchema } },
      check: checkComparison,
      async compute({ clips, options: { voice }, ...request }) {
        const { comparison, queueMs } = await compareClips(ctx.pool, clips, { voice, ...request });
        return {
          queueMs,
          json: {
            object: "comparison",
            model: request.model.weights.id,
            ...comparison,
            data: clips.map(({ seconds, frames }, index) => ({ index, seconds, frames })),
            usage: { audio_seconds: clips.reduce((sum, { seconds }) => sum + seconds, 0) },
          },
        };
      },
    },
  });
}
