/** Probes, whether the server is alive and ready, and its metrics. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { mustBeReady, type ServerContext } from "./context.ts";
import { errorAnswers, statusSchema } from "./schemas.ts";

/** Mounts `/healthz`, `/readyz` and `/metrics`. */
export function mountHealth(app: OpenAPIHono, ctx: ServerContext): void {
  const status = { description: "yes", content: { "application/json": { schema: statusSchema } } };
  const alive = createRoute({
    method: "get",
    path: "/healthz",
    summary: "Alive?",
    responses: { 200: status, ...errorAnswers() },
  });
  app.openapi(alive, (c) => c.json({ status: "alive" }, 200));
  const ready = createRoute({
    method: "get",
    path: "/readyz",
    summary: "Ready?",
    responses: { 200: status, ...errorAnswers(503) },
  });
  app.openapi(ready, (c) => {
    mustBeReady(ctx);
    return c.json({ status: "ready" }, 200);
  });
  const metrics = createRoute({
    method: "get",
    path: "/metrics",
    summary: "Prometheus metrics",
    responses: {
      200: { description: "metrics", content: { "text/plain": { schema: z.string() } } },
      ...errorAnswers(401, 429),
    },
  });
  app.openapi(metrics, async (c) => {
    const { metrics } = ctx;
    return c.text(await metrics.text(), 200, { "content-type": metrics.registry.contentType });
  });
}
