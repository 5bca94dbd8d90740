/** `GET /v1/usage`: what a key has used, by day. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Metrics } from "../metrics.ts";
import { errorAnswers } from "./schemas.ts";

const daySchema = z.object({
  day: z.iso.date().openapi({ description: "in UTC" }),
  audio_seconds: z.number(),
  frames: z.int(),
  requests: z.int().openapi({ description: "over HTTP; a stream is none" }),
});
const usageSchema = z.object({ object: z.literal("list"), data: z.array(daySchema) })
  .openapi("Usage");

/** Mounts the route. */
export function mountUsage(app: OpenAPIHono, usage: Metrics["usage"]): void {
  const route = createRoute({
    method: "get",
    path: "/v1/usage",
    summary: "What the key of this request has used, by day, since the server began",
    responses: {
      200: { description: "days", content: { "application/json": { schema: usageSchema } } },
      ...errorAnswers(401, 429),
    },
  });
  app.openapi(route, async (c) => {
    c.header("Cache-Control", "no-store");
    return c.json({ object: "list" as const, data: await usage.of(c.get("owner") ?? "") }, 200);
  });
}
