/**
 * The HTTP application: every route, and what is common to them. It listens on nothing:
 * routes/server.ts does.
 */
import { OpenAPIHono } from "@hono/zod-openapi";
import { cors } from "hono/cors";
import { secureHeaders } from "hono/secure-headers";
import { CpcError, toCpcError } from "../errors.ts";
import { LIMITS } from "../config/limits.ts";
import { Gate } from "../recordings/gate.ts";
import type { Hub } from "../streaming/hub.ts";
import { bearerKey, type Keys, originCheck } from "./auth.ts";
import type { ServerContext } from "./context.ts";
import { mountAsyncapi } from "./asyncapi.ts";
import { mountEmbeddings } from "./embeddings.ts";
import { mountHealth } from "./health.ts";
import { MemoryBudget } from "../recordings/memory_budget.ts";
import { mountModels } from "./models.ts";
import { errorAnswers } from "./schemas.ts";
import { mountScore } from "./score.ts";
import { mountStream } from "./stream.ts";
import { mountTokens } from "./tokens.ts";
import { mountWeb } from "./web.ts";
import { streamQuerySchema } from "../streaming/protocol/query.ts";
import { optionError } from "../recordings/options.ts";

/**
 * Routes that need no key: probes, contracts and pages. The stream checks its key itself, to answer
 * as a WebSocket can.
 */
const OPEN_ROUTES = new Set([
  "/healthz",
  "/readyz",
  "/openapi.json",
  "/asyncapi.json",
  "/docs",
  "/",
  "/client.js",
  "/v1/stream",
]);
const OPEN_FOLDER = "/assets/";

/** Builds the application. */
export function createApp(
  ctx: ServerContext,
  { hub, keys }: { hub: Hub; keys: Keys },
): OpenAPIHono {
  const app = new OpenAPIHono({
    defaultHook(result, c) {
      if (!result.success) throw optionError(result.error, { ...c.req.param(), ...c.req.query() });
    },
  });
  app.use(secureHeaders({ strictTransportSecurity: ctx.config.tls !== undefined }));
  if (ctx.config.allowOrigins.length > 0) {
    app.use(
      cors({
        origin: [...ctx.config.allowOrigins],
        exposeHeaders: ["Server-Timing", "Retry-After"],
      }),
    );
  }
  app.use(async (c, next) => {
    const started = performance.now();
    await next();
    ctx.metrics.requested(c.req.routePath, c.res.status);
    ctx.log.debug("request", {
      method: c.req.method,
      path: c.req.path,
      status: c.res.status,
      ms: Math.round(performance.now() - started),
    });
  });
  const allowedOrigin = originCheck(ctx.config.allowOrigins);
  app.use("/v1/*", async (c, next) => {
    const origin = c.req.header("origin");
    if (
      origin !== undefined && c.req.method === "POST" &&
      !allowedOrigin(origin, c.req.header("host"))
    ) {
      throw new CpcError(
        "origin_not_allowed",
        `origin ${origin} may not post; --allow-origin names those that may`,
      );
    }
    await next();
  });
  app.use(async (c, next) => {
    if (!OPEN_ROUTES.has(c.req.path) && !c.req.path.startsWith(OPEN_FOLDER)) {
      keys.spend(keys.ownerOf(bearerKey(c.req.header("authorization"))));
    }
    await next();
  });
  mountHealth(app, ctx);
  mountModels(app, ctx);
  const work = {
    budget: new MemoryBudget(LIMITS.requestMemoryBytes),
    gate: new Gate({ places: LIMITS.fileStreams, maxWaiting: LIMITS.waitingFiles }),
  };
  mountEmbeddings(app, ctx, work);
  mountScore(app, ctx, work);
  mountTokens(app, keys);
  mountAsyncapi(app);
  mountWeb(app);
  mountStream(app, { hub, allowedOrigin, ownerOf: (key) => keys.ownerOf(key) });
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
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    security: [{}, { key: [] }], // none on a server without keys
    info: {
      title: "cpc-stream",
      version: "0.1.0",
      description: "Live contrastive predictive coding features of speech",
      license: { name: "Apache-2.0" },
    },
  });
  refuseOthers(app);
  app.onError((thrown, c) => {
    if (c.req.raw.signal.aborted) return c.body(null, 499 as 400); // the client has gone
    const error = toCpcError(thrown);
    ctx.metrics.errored(error.code);
    if (error.http >= 500) {
      ctx.log.error("request failed", {
        path: c.req.path,
        code: error.code,
        error: error.message,
        cause: String(error.cause ?? ""),
      });
    }
    const retryMs = error.retryAfterMs ??
      (error.http === 503 || error.http === 429 ? 1000 : undefined);
    if (retryMs !== undefined) c.header("Retry-After", String(Math.ceil(retryMs / 1000)));
    if (error.code === "unauthorized") c.header("WWW-Authenticate", "Bearer");
    const { code, message, param } = error;
    return c.json(
      { error: { code, message, ...(param === undefined ? {} : { param }) } },
      error.http as 400,
    );
  });
  return app;
}

/** 405 where another method has the route, 404 with the list of routes elsewhere. */
function refuseOthers(app: OpenAPIHono): void {
  const routes = app.routes.filter(({ method, path }) => method !== "ALL" && !path.includes("*"));
  const pattern = (path: string) => new RegExp(`^${path.replaceAll(/:[^/]+/g, "[^/]+")}$`);
  app.notFound((c) => {
    const methods = new Set(
      routes.filter(({ path }) => pattern(path).test(c.req.path)).map(({ method }) => method),
    );
    if (methods.size > 0 && !methods.has(c.req.method)) {
      c.header("Allow", [...methods].join(", "));
      throw new CpcError(
        "method_not_allowed",
        `${c.req.path} takes ${[...methods].join(", ")}, not ${c.req.method}`,
      );
    }
    const known = [...new Set(routes.map(({ method, path }) => `${method} ${path}`))].join(", ");
    throw new CpcError("not_found", `no route ${c.req.method} ${c.req.path}; there are ${known}`);
  });
}
