/**
 * The metrics of a registry as OpenTelemetry's, under the same names. Deno exports them over OTLP
 * if it was started with `OTEL_DENO=true` (docs/tracing.md). Otherwise nothing reads them.
 */
import { type Histogram as OtlpHistogram, metrics } from "@opentelemetry/api";
import {
  Counter,
  Gauge,
  Histogram,
  type HistogramConfiguration,
  type LabelValues,
  type Registry,
} from "prom-client";
import { VERSION } from "./version.ts";

/** Time between two exports, unless `OTEL_METRIC_EXPORT_INTERVAL` gives another. */
const INTERVAL_MS = 60_000;
/** An export that is so near is waited for before the process ends, and for how long. */
const NEAR_MS = 250;
const WAIT_MS = 1000;
/** What is left of an export once the first metric was read. */
const READING_MS = 10;
/** Most values that wait to be counted in a histogram's buckets. */
const MOST_WAITING = 256;

const meter = metrics.getMeter("cpc-stream", VERSION);
/** When metrics were last read for an export; undefined until then. */
let readMs: number | undefined;
let read = Promise.withResolvers<void>();

/** What OTLP tells of a metric beside its values. */
function described({ name, help }: { name: string; help: string }) {
  return { description: help, ...(/_seconds(_total)?$/.test(name) && { unit: "s" }) };
}

/**
 * A histogram that both may read: OpenTelemetry has none that is asked for its values. Some of them
 * come with every message, so for Prometheus those without labels are counted many at a time.
 */
export class ExportedHistogram<Label extends string = string> extends Histogram<Label> {
  readonly #exported: OtlpHistogram;
  readonly #waiting: number[];

  constructor(configuration: HistogramConfiguration<Label>) {
    const waiting: number[] = [];
    super({
      ...configuration,
      collect() {
        for (const value of waiting.splice(0)) this.observe(value);
      },
    });
    this.#waiting = waiting;
    this.#exported = meter.createHistogram(configuration.name, {
      ...described(configuration),
      advice: { explicitBucketBoundaries: configuration.buckets },
    });
  }

  /** Counts a value, with labels or without. */
  record(value: number, labels?: LabelValues<Label>): void {
    this.#exported.record(value, labels);
    if (labels) return this.observe(labels, value);
    this.#waiting.push(value);
    if (this.#waiting.length < MOST_WAITING) return;
    for (const value of this.#waiting.splice(0)) this.observe(value);
  }
}

/** Has the counters and gauges of a registry, as they are now, read at each export. */
export function exportMetrics(registry: Registry): void {
  for (const { name, help } of registry.getMetricsAsArray()) {
    const metric = registry.getSingleMetric(name);
    const isCounter = metric instanceof Counter;
    if (!isCounter && !(metric instanceof Gauge)) continue;
    const about = described({ name, help });
    const exported = isCounter
      ? meter.createObservableCounter(name, about)
      : meter.createObservableGauge(name, about);
    exported.addCallback(async (result) => {
      const { values } = await metric.get();
      for (const { value, labels } of values) result.observe(value, labels);
    });
  }
}

/** Exports that the process is there, and so knows when its metrics are read. */
export function exportLife(): void {
  const up = meter.createObservableGauge("cpc_up", { description: "1 while the process runs" });
  up.addCallback((result) => {
    result.observe(1);
    readMs = performance.now();
    read.resolve();
    read = Promise.withResolvers();
  });
}

/**
 * Waits for the next export if it is near, as {@linkcode exportLife} knows it. To be called right
 * before the process ends: `Deno.exit()` of Deno 2.9.6 hangs for good while the exporter waits to
 * be told the metrics.
 */
export async function exportsSettled(): Promise<void> {
  if (readMs === undefined) return;
  const intervalMs = Number(Deno.env.get("OTEL_METRIC_EXPORT_INTERVAL")) || INTERVAL_MS;
  if (performance.now() < readMs + intervalMs - NEAR_MS) return;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, WAIT_MS));
  await Promise.race([read.promise, late]);
  clearTimeout(timer);
  await new Promise((resolve) => setTimeout(resolve, READING_MS));
}
