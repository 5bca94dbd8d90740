/** The span of an HTTP request, from its headers to the end of its answer. */
import { type IncomingMessage, ServerResponse } from "node:http";
import type { Span } from "@opentelemetry/api";
import type { Context } from "hono";
import { serverSpan, traceparentOf } from "../tracing.ts";

/**
 * An answer that begins the span of its request. Right after, Deno begins a span of its own, which
 * no handler can reach: it becomes a part of this one, and does not see the query, where a resume
 * token may be.
 */
export class TracedResponse<Request extends IncomingMessage = IncomingMessage>
  extends ServerResponse<Request> {
  readonly span: Span;
  /** Gives the request its query. */
  readonly begin: () => void;

  /** @param options what the server gives, and types leave out */
  constructor(request: Request, ...options: []) {
    super(request, ...options);
    const { url, headers, method = "" } = request;
    this.span = serverSpan(method, { headers });
    this.once("close", () => this.span.end());
    headers.traceparent = traceparentOf(this.span);
    request.url = url?.split("?")[0];
    this.begin = () => request.url = url;
  }
}

/** The span of a request that Hono handles; undefined for handshakes, and without telemetry. */
export function requestSpan({ env }: Pick<Context, "env">): Span | undefined {
  const { outgoing } = (env ?? {}) as { outgoing?: unknown };
  return outgoing instanceof TracedResponse ? outgoing.span : undefined;
}
