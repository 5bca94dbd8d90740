/**
 * Spans, through OpenTelemetry's API. Deno exports them over OTLP if it was started with
 * `OTEL_DENO=true` (docs/tracing.md). Otherwise the API does nothing.
 *
 * Attributes are names, numbers and ids: never audio, keys, tokens, or a query.
 */
import {
  type Attributes,
  context,
  propagation,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { toCpcError } from "./errors.ts";
import { VERSION } from "./version.ts";

/** Steps to each span of one: a full server takes hundreds of steps a second. */
export const STEPS_A_SPAN = 100;

/** Whether spans are exported. */
export const isTracing = !(trace.getTracerProvider() instanceof ProxyTracerProvider);

const tracer = trace.getTracer("cpc-stream", VERSION);

/** Headers of a request, by their names in lower case. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * Begins the span of a request or a stream: a part of the client's trace if it sent a
 * `traceparent`, else of a new one.
 */
export function serverSpan(
  name: string,
  { headers = {}, attributes }: { headers?: RequestHeaders; attributes?: Attributes } = {},
): Span {
  const parent = propagation.extract(ROOT_CONTEXT, headers);
  return tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, parent);
}

/** The `traceparent` of what a span causes; undefined if it is not exported. */
export function traceparentOf(span: Span): string | undefined {
  const carrier: { traceparent?: string } = {};
  propagation.inject(trace.setSpan(ROOT_CONTEXT, span), carrier);
  return carrier.traceparent;
}

/** The id of a span's trace, for logs; undefined if it is not exported. */
export function traceIdOf(span: Span): string | undefined {
  return isTracing ? span.spanContext().traceId : undefined;
}

/** Does work whose spans are parts of this one. */
export function within<T>(span: Span, work: () => T): T {
  return context.with(trace.setSpan(context.active(), span), work);
}

/**
 * Does work in a span of its own, which is a part of the present one.
 *
 * @throws whatever the work throws; the span then has its code
 */
export async function inSpan<T>(
  name: string,
  work: (span: Span) => Promise<T>,
  { attributes }: { attributes?: Attributes } = {},
): Promise<T> {
  const span = tracer.startSpan(name, { attributes });
  try {
    return await within(span, () => work(span));
  } catch (error) {
    spanFailed(span, error);
    throw error;
  } finally {
    span.end();
  }
}

/** Marks a span as failed, by the code of the error: its message may quote the client. */
export function spanFailed(span: Span, error: unknown): void {
  span.setAttribute("error.type", toCpcError(error).code);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/** Spans of model steps: of the first, and of one in {@linkcode STEPS_A_SPAN} after it. */
export class StepSpans {
  #steps = 0;

  /** A step has ended. */
  taken(
    { model, stepMs, streams, hops }: {
      model: string;
      stepMs: number;
      /** Its batch: each channel of a split stream counts. */
      streams: number;
      /** Of each stream. */
      hops: number;
    },
  ): void {
    if (!isTracing || this.#steps++ % STEPS_A_SPAN > 0) return;
    const endMs = Date.now();
    const attributes = {
      "cpc.model": model,
      "cpc.step.streams": streams,
      "cpc.step.rows": streams * hops,
      "cpc.step.ms": stepMs,
    };
    tracer.startSpan("step", { root: true, startTime: endMs - stepMs, attributes }).end(endMs);
  }
}
