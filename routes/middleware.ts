/** What every request passes before its route: counting, and who may ask. */
import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { CpcError } from "../errors.ts";
import { ADMIN_FOLDER } from "./admin/contract.ts";
import { bearerKey } from "./auth.ts";
import { endsOf, type ServerContext } from "./context.ts";
import { hostCheck } from "./hosts.ts";
import type { Keys } from "./keys.ts";
import { tellQuota } from "./quota.ts";
import { namesOf, traced } from "./request_names.ts";
import { HEAD_LENGTH } from "./tensor_body.ts";

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
/** Methods that change something. */
const POSTING: readonly string[] = ["POST", "DELETE"];

function isOpen(path: string): boolean {
  return OPEN_ROUTES.has(path) || path.startsWith(OPEN_FOLDER);
}

/** Whether a token may stand for the key there: not where somebody runs the server. */
function takesTokens(path: string): boolean {
  return path !== "/metrics" && !path.startsWith(ADMIN_FOLDER);
}

/** Lets pages of other origins read answers, with the headers that they need. */
export function readableBy(origins: readonly string[]): MiddlewareHandler {
  return cors({
    origin: [...origins],
    exposeHeaders: [
      "ETag", // without it, a page of another origin keeps no weights
      "Server-Timing",
      "Retry-After",
      "X-Request-Id",
      "RateLimit",
      "RateLimit-Policy",
      HEAD_LENGTH,
    ],
  });
}

/** Counts requests, and tells the log and the traces of them. */
export function counted(
  { metrics, log }: Pick<ServerContext, "metrics" | "log">,
): MiddlewareHandler {
  return async (c, next) => {
    const started = performance.now();
    await traced(c, next);
    const ms = performance.now() - started;
    metrics.requested({
      route: c.req.routePath,
      status: c.res.status,
      seconds: ms / 1000,
      owner: isOpen(c.req.path) ? undefined : c.get("owner") ?? "",
    });
    log.debug("request", {
      ...namesOf(c),
      method: c.req.method,
      status: c.res.status,
      ms: Math.round(ms),
    });
  };
}

/** Refuses requests to a host that the server does not go by: `unknown_host`. */
export function toKnownHosts(config: Parameters<typeof hostCheck>[0]): MiddlewareHandler {
  const isKnown = hostCheck(config);
  return async (c, next) => {
    const host = c.req.header("host");
    if (!isKnown({ host, localAddress: endsOf(c).localAddress })) {
      throw new CpcError(
        "unknown_host",
        `this server is not known as ${host}; --allow-host gives it other names`,
      );
    }
    await next();
  };
}

/** Refuses pages of other origins that want to change something: `origin_not_allowed`. */
export function postedBy(
  isAllowed: (origin: string, host: string | undefined) => boolean,
): MiddlewareHandler {
  return async (c, next) => {
    const origin = c.req.header("origin");
    const isForeign = origin !== undefined && !isAllowed(origin, c.req.header("host"));
    if (isForeign && POSTING.includes(c.req.method)) {
      throw new CpcError(
        "origin_not_allowed",
        `origin ${origin} may not post; --allow-origin lists those that may`,
      );
    }
    await next();
  };
}

/** Asks for a key where one is needed, and counts the request against its quota. */
export function withKey(keys: Keys): MiddlewareHandler {
  return async (c, next) => {
    if (!isOpen(c.req.path)) {
      const key = bearerKey(c.req.header("authorization"));
      const owner = keys.ownerOf(key, { tokens: takesTokens(c.req.path) });
      if (owner !== "") c.set("owner", owner);
      const quota = await keys.spend(owner);
      if (quota) tellQuota(c, quota);
    }
    await next();
  };
}
