/** `/openapi.json`: the contract of every route that was mounted before it. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { streamQuerySchema } from "../streaming/protocol/query.ts";
import { VERSION } from "../version.ts";
import { errorAnswers } from "./schemas.ts";

/** Mounts it. */
export function mountOpenapi(app: OpenAPIHono): void {
  app.openAPIRegistry.registerPath({
    method: "get",
    path: "/v1/stream",
    summary: "The WebSocket stream: see /asyncapi.json and docs/protocol.md",
    request: { query: streamQuerySchema },
    responses: { 101: { description: "a WebSocket" }, ...errorAnswers(403, 426) },
  });
  app.openAPIRegistry.registerComponent("securitySchemes", "key", {
    type: "http",
    scheme: "bearer",
  });
  let contract: string | undefined; // made once: it takes long, and anyone may ask
  app.get("/openapi.json", (c) => {
    contract ??= JSON.stringify(app.getOpenAPI31Document({
      openapi: "3.1.0",
      security: [{}, { key: [] }], // none on a server without keys
      info: {
        title: "cpc-stream",
        version: VERSION,
        description: "Live contrastive predictive coding features of speech",
        license: { name: "Apache-2.0" },
      },
    }));
    return c.body(contract, 200, { "Content-Type": "application/json" });
  });
}
