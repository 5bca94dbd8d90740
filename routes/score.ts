/** `POST /v1/score`: the training objective on given recordings. */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { scoreClips } from "../recordings/score_clips.ts";
import { scoreOptionsSchema } from "../recordings/score_options.ts";
import type { ServerContext } from "./context.ts";
import { type FileWork, mountClips } from "./recordings.ts";

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
      "for a model with a reversed network: the forward network's own figures; those above " +
      "are the means of both",
  }),
  reverse: z.object(networkFigures).optional().openapi({
    description: "for a model with a reversed network: its own figures for each window played " +
      "backwards, at the same t",
  }),
}).openapi("Score");

/** Mounts the route. */
export function mountScore(app: OpenAPIHono, ctx: ServerContext, work: FileWork): void {
  mountClips(app, ctx, {
    ...work,
    route: {
      path: "/v1/score",
      span: "score",
      summary: "The training objective on recordings: see docs/scoring.md",
      schema: scoreOptionsSchema,
      answers: { "application/json": { schema: scoreSchema } },
      async compute({ clips, ...request }) {
        const { figures, queueMs } = await scoreClips(ctx.pool, clips, request);
        return { queueMs, json: { ...figures, model: request.model.weights.id } };
      },
    },
  });
}
