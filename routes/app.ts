/**
 * The HTTP application: every route, and what they share. It does not listen; routes/server.ts
 * does.
 */
import { randomUUID } from "node:crypto";
import { OpenAPIHono } from "@hono/zod-openapi";
import { cors } from "hono/cors";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import { CpcError } from "../errors.ts";
import { LIMITS } from "../config/limits.ts";
import { optionError } from "../options.ts";
import { DecodeBudget } from "../recordings/decode_budget.ts";
import { Gate } from "../recordings/gate.ts";
import type { Hub } from "../streaming/hub.ts";
import { ADMIN_FOLDER } from "./admin/contract.ts";
import { type AdminParts, mountAdmin } from "./admin/mount.ts";
import { bearerKey, originCheck } from "./auth.ts";
import { hostCheck } from "./hosts.ts";
import { endsOf, type ServerContext } from "./context.ts";
import { mountAsyncapi } from "./asyncapi.ts";
import { mountCompare } from "./compare.ts";
import { mountEmbeddings } from "./embeddings.ts";
import { mountHealth } from "./health.ts";
import type { Keys } from "./keys.ts";
import { mountModels } from "./models.ts";
import { mountOpenInference } from "./open_inference.ts";
import { answerErrors, refuseOthers } from "./refusals.ts";
import { errorAnswers } from "./schemas.ts";
import { mountScore } from "./score.ts";
import { mountStream } from "./stream.ts";
import { tellQuota } from "./quota.ts";
import { idOfConnection, REQUEST_ID_CHARACTERS } from "./request_id.ts";
import { namesOf, traced } from "./request_names.ts";
import { HEAD_LENGTH } from "./tensor_body.ts";
import { mountTokens } from "./tokens.ts";
import { mountUsage } from "./usage.ts";
import { mountWeb } from "./web.ts";
import { mountWeights } from "./weights.ts";
import { streamQuerySchema } from "../streaming/protocol/query.ts";
import { VERSION } from "../version.ts";

/**
 * Routes that need no key: probes, contracts and pages. The stream checks its key itself, since it
 * must answer as a WebSocket.
 */
const OPEN_ROUTES = new Set([
  "/healthz",
  "/readyz",
  "/v2/health/live",
  "/v2/health/ready",
  "/openapi.json",
  "/asyncapi.json",
  "/docs",
  "/",
  "/client.js",
  "/v1/stream",
]);
const OPEN_FOLDER = "/assets/";

function isOpen(path: string): boolean {
  return OPEN_ROUTES.has(path) || path.startsWith(OPEN_FOLDER);
}

/** Whether a token may stand for the key there: not where somebody runs the server. */
function takesTokens(path: string): boolean {
  return path !== "/metrics" && !path.startsWith(ADMIN_FOLDER);
}

/** A gate at which one owner leaves a quarter of the places to others. */
function fairGate(allPlaces: number, { processes }: { processes: number }): Gate {
  const places = Math.ceil(allPlaces / processes);
  const mostPerOwner = Math.max(1, Math.floor(places * 3 / 4));
  return new Gate({ places, mostPerOwner, maxWaiting: LIMITS.waitingFiles });
}

/** Builds the application. */
export function createApp(
  ctx: ServerContext,
  { hub, keys, admin }: { hub: Hub; keys: Keys; admin: AdminParts },
): OpenAPIHono {
  const app = new OpenAPIHono({
    defaultHook(result, c) {
      if (!result.success) {
        throw optionError(result.error, { ...c.req.param(), ...c.req.query() });
      }
    },
  });
  app.use(requestId({
    limitLength: REQUEST_ID_CHARACTERS,
    generator: (c) => idOfConnection(c) ?? randomUUID(),
  }));
  app.use(secureHeaders({ strictTransportSecurity: ctx.config.tls !== undefined }));
  if (ctx.config.allowOrigins.length > 0) {
    app.use(
      cors({
        origin: [...ctx.config.allowOrigins],
        exposeHeaders: [
          "ETag", // without it, a page of another origin keeps no weights
          "Server-Timing",
          "Retry-After",
          "X-Request-Id",
          "RateLimit",
          "RateLimit-Policy",
          HEAD_LENGTH,
        ],
      }),
    );
  }
  app.use(async (c, next) => {
    const started = performance.now();
    await traced(c, next);
    ctx.metrics.requested({
      route: c.req.routePath,
      status: c.res.status,
      seconds: (performance.now() - started) / 1000,
      owner: isOpen(c.req.path) ? undefined : c.get("owner") ?? "",
    });
    ctx.log.debug("request", {
      ...namesOf(c),
      method: c.req.method,
      status: c.res.status,
      ms: Math.round(performance.now() - started),
    });
  });
  const knownHost = hostCheck(ctx.config);
  app.use(async (c, next) => {
    const host = c.req.header("host");
    if (!knownHost({ host, localAddress: endsOf(c).localAddress })) {
      throw new CpcError(
        "unknown_host",
        `this server is not known as ${host}; --allow-host gives it other names`,
      );
    }
    await next();
  });
  const allowedOrigin = originCheck(ctx.config.allowOrigins);
  app.use("/:version{v[12]}/*", async (c, next) => {
    const origin = c.req.header("origin");
    if (
      origin !== undefined && ["POST", "DELETE"].includes(c.req.method) &&
      !allowedOrigin(origin, c.req.header("host"))
    ) {
      throw new CpcError(
        "origin_not_allowed",
        `origin ${origin} may not post; --allow-origin lists those that may`,
      );
    }
    await next();
  });
  app.use(async (c, next) => {
    if (!isOpen(c.req.path)) {
      const key = bearerKey(c.req.header("authorization"));
      const owner = keys.ownerOf(key, { tokens: takesTokens(c.req.path) });
      if (owner !== "") c.set("owner", owner);
      const quota = await keys.spend(owner);
      if (quota) tellQuota(c, quota);
    }
    await next();
  });
  refuseOthers(app);
  mountHealth(app, ctx);
  mountModels(app, ctx);
  const { processes } = ctx.config;
  const ownRequests = Math.max(1, 2 / processes);
  const work = {
    budget: ctx.requestMemory,
    gate: fairGate(LIMITS.fileStreams, { processes }),
    decoded: new DecodeBudget({
      request: { seconds: LIMITS.requestAudioSeconds, samples: LIMITS.requestSamples },
      owner: {
        seconds: ownRequests * LIMITS.requestAudioSeconds,
        samples: ownRequests * LIMITS.requestSamples,
      },
    }),
    decoding: fairGate(LIMITS.decodedFiles, { processes }),
    scoring: fairGate(LIMITS.scoringThreads, { processes }),
  };
  mountEmbeddings(app, ctx, work);
  mountScore(app, ctx, work);
  mountCompare(app, ctx, work);
  mountOpenInference(app, ctx, { work, version: VERSION });
  mountTokens(app, keys);
  mountUsage(app, ctx.metrics.usage);
  mountAdmin(app, { keys, log: ctx.log }, admin);
  mountAsyncapi(app);
  mountWeb(app, { stallMs: ctx.config.slowReaderTimeoutS * 1000 });
  mountWeights(app, ctx);
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
  answerErrors(app, ctx);
  return app;
}
