/** How a request is followed: what the log and its span say of it. */
import { SpanStatusCode } from "@opentelemetry/api";
import type { Context } from "hono";
import { traceIdOf, within } from "../tracing.ts";
import { endsOf } from "./context.ts";
import { requestSpan } from "./traced_response.ts";

/** What the log says of a request in every line about it. */
export function namesOf(c: Context): {
  readonly request: string;
  readonly path: string;
  /** Name of the key. */
  readonly key?: string;
  readonly address?: string;
  /** Only with telemetry. */
  readonly trace?: string;
} {
  const span = requestSpan(c);
  return {
    request: c.get("requestId"),
    path: c.req.path,
    key: c.get("owner"),
    address: endsOf(c).remoteAddress,
    trace: span && traceIdOf(span),
  };
}

/** Does what follows in a request as parts of its span, and then says what became of it. */
export async function traced(c: Context, next: () => Promise<void>): Promise<void> {
  const span = requestSpan(c);
  if (!span) return await next();
  await within(span, next);
  const { req: { method, routePath }, res: { status } } = c;
  const { request, key, address } = namesOf(c);
  span.updateName(`${method} ${routePath}`);
  span.setAttributes({
    "http.request.method": method,
    "http.route": routePath,
    "http.response.status_code": status,
    "client.address": address,
    "cpc.request": request,
    "cpc.key": key,
  });
  if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
}
