/** Errors as HTTP answers, and answers to requests that no route takes. */
import { RequestError } from "@hono/node-server";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { CpcError, toCpcError } from "../errors.ts";
import type { ServerContext } from "./context.ts";
import { namesOf } from "./request_names.ts";
import { requestSpan } from "./traced_response.ts";

/** Default wait for a client that was refused for want of room. */
const RETRY_AFTER_MS = 1000;

/** Answers a thrown error: `{"error":{"code","message","param"?}}` with its status. */
export function answerErrors(app: OpenAPIHono, { metrics, log }: ServerContext): void {
  app.onError((thrown, c) => {
    if (c.req.raw.signal.aborted) return c.body(null, 499 as 400); // the client has gone
    const error = toCpcError(thrown);
    const { code, http, message, param } = error;
    metrics.errored(code);
    requestSpan(c)?.setAttribute("error.type", code);
    if (http >= 500) {
      const cause = String(error.cause ?? "");
      log.error("request failed", { ...namesOf(c), code, error: message, cause });
    }
    const retryMs = error.retryAfterMs ??
      (http === 503 || http === 429 ? RETRY_AFTER_MS : undefined);
    if (retryMs !== undefined) c.header("Retry-After", String(Math.ceil(retryMs / 1000)));
    if (code === "unauthorized") c.header("WWW-Authenticate", "Bearer");
    const place = param === undefined ? {} : { param };
    // the Open Inference Protocol has text there
    const body = isOpenInference(c.req.path)
      ? { error: message, code, ...place }
      : { error: { code, message, ...place } };
    return c.json(body, http as 400);
  });
}

/**
 * Answers what never reached the application: a request whose `Host` or target cannot be read.
 *
 * @param thrown what the adaptor of node:http threw
 */
export function answerUnreadable(thrown: unknown): Response {
  const error = thrown instanceof RequestError
    ? new CpcError("invalid_message", `the request cannot be read: ${thrown.message}`)
    : toCpcError(thrown);
  const { code, http, message } = error;
  return Response.json({ error: { code, message } }, { status: http });
}

/** Whether a path belongs to the Open Inference Protocol: `/v2`, `/v2/health/live`, … */
function isOpenInference(path: string): boolean {
  return /^\/v2(\/[^/]+\/[^]*)?$/.test(path);
}

/** 405 if the route has another method; otherwise 404 with the list of routes. */
export function refuseOthers(app: OpenAPIHono): void {
  app.use(async (c, next) => {
    await next();
    if (c.res.status === 404 && !c.error) throw unknownRoute(app, c);
  });
  app.use(methodNotAllowed({
    app,
    onMethodNotAllowed(c, methods) {
      const allowed = methods.join(", ");
      c.header("Allow", allowed);
      const why = `${c.req.path} takes ${allowed}, not ${c.req.method}`;
      throw new CpcError("method_not_allowed", why);
    },
  }));
}

function unknownRoute({ routes }: OpenAPIHono, { req }: Context): CpcError {
  const known = new Set(
    routes.filter(({ method, path }) => method !== "ALL" && !path.includes("*"))
      .map(({ method, path }) => `${method} ${path}`),
  );
  const why = `no route ${req.method} ${req.path}; the routes are ${[...known].join(", ")}`;
  return new CpcError("not_found", why);
}
