/** A small collector of OpenTelemetry: takes traces and metrics over OTLP, HTTP with JSON. */
import { z } from "zod";

const valueSchema = z.record(z.string(), z.unknown()).transform((value) => Object.values(value)[0]);
const attributesSchema = z.array(z.object({ key: z.string(), value: valueSchema })).transform((
  attributes,
): Readonly<Record<string, unknown>> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value]))
);
const originSchema = z.object({ attributes: attributesSchema });
const scopeSchema = z.object({ name: z.string() });
const spanSchema = z.object({
  name: z.string(),
  kind: z.int(),
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string(),
  startTimeUnixNano: z.coerce.number(),
  endTimeUnixNano: z.coerce.number(),
  attributes: attributesSchema,
  status: z.object({ code: z.int().default(0) }),
});
const pointsSchema = z.object({
  isMonotonic: z.boolean().optional(),
  dataPoints: z.array(z.object({
    attributes: attributesSchema,
    asDouble: z.number().optional(),
    count: z.coerce.number().optional(),
    explicitBounds: z.array(z.number()).optional(),
  })),
});
const metricSchema = z.object({
  name: z.string(),
  unit: z.string(),
  sum: pointsSchema.optional(),
  gauge: pointsSchema.optional(),
  histogram: pointsSchema.optional(),
});
const exportSchema = z.object({
  resourceSpans: z.array(z.object({
    resource: originSchema,
    scopeSpans: z.array(z.object({ scope: scopeSchema, spans: z.array(spanSchema) })),
  })).default([]),
  resourceMetrics: z.array(z.object({
    resource: originSchema,
    scopeMetrics: z.array(z.object({ scope: scopeSchema, metrics: z.array(metricSchema) })),
  })).default([]),
});

/** Where something comes from. */
interface Origin {
  /** Attributes of its process. */
  readonly resource: Readonly<Record<string, unknown>>;
  readonly scope: string;
}
/** A span as it was exported. */
export type CollectedSpan = z.infer<typeof spanSchema> & Origin;
/** A metric as it was last exported. */
export type CollectedMetric = z.infer<typeof metricSchema> & Origin;

const TIMEOUT_MS = 20_000;

/** What has been exported so far. */
export class Collector implements AsyncDisposable {
  readonly spans: CollectedSpan[] = [];
  /** Everything, as it came. */
  text = "";
  readonly #metrics = new Map<string, CollectedMetric>();
  #changed = Promise.withResolvers<void>();
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      this.#take(await request.text());
      return Response.json({});
    },
  );

  /** The environment of a program that exports to it, often. */
  get environment(): Record<string, string> {
    return {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${this.#server.addr.port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_METRIC_EXPORT_INTERVAL: "600",
      OTEL_BSP_SCHEDULE_DELAY: "50",
    };
  }

  /** The latest metrics of all processes. */
  get metrics(): CollectedMetric[] {
    return [...this.#metrics.values()];
  }

  /** Waits until something is there. */
  async until<T>(find: () => T | undefined): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`not exported in time: ${find}`)),
      TIMEOUT_MS,
    );
    try {
      for (;;) {
        const found = find();
        if (found !== undefined) return found;
        await Promise.race([this.#changed.promise, late.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits for the span of a name that has these attributes. */
  span(name: string, attributes: Record<string, unknown> = {}): Promise<CollectedSpan> {
    return this.until(() =>
      this.spans.find((span) =>
        span.name === name && span.scope === "cpc-stream" &&
        Object.entries(attributes).every(([key, value]) => span.attributes[key] === value)
      )
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  #take(body: string): void {
    this.text += `${body}\n`;
    const { resourceSpans, resourceMetrics } = exportSchema.parse(JSON.parse(body));
    for (const { resource: { attributes: resource }, scopeSpans } of resourceSpans) {
      for (const { scope: { name: scope }, spans } of scopeSpans) {
        this.spans.push(...spans.map((span) => ({ ...span, resource, scope })));
      }
    }
    for (const { resource: { attributes: resource }, scopeMetrics } of resourceMetrics) {
      for (const { scope: { name: scope }, metrics } of scopeMetrics) {
        for (const metric of metrics) {
          const key = `${resource["service.instance.id"]} ${metric.name}`;
          this.#metrics.set(key, { ...metric, resource, scope });
        }
      }
    }
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
