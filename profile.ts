/**
 * Where the time of steps goes, for `--profile`: histograms for Prometheus, and a table for people.
 */
import type { Registry } from "prom-client";
import { ExportedHistogram } from "./metrics_export.ts";

/** A step's parts, as its model worker timed them. */
export interface ProfiledStep {
  readonly model: string;
  readonly streams: number;
  /** Of each stream. */
  readonly hops: number;
  /** In ms, by name. */
  readonly parts?: Readonly<Record<string, number>>;
}

/** Steps of a model since the last table. */
interface Sums {
  steps: number;
  rows: number;
  readonly parts: Map<string, { sumMs: number; mostMs: number }>;
}

/** Adds up the parts of steps. */
export class Profile {
  readonly #seconds: ExportedHistogram;
  readonly #models = new Map<string, Sums>();
  /** The last step, whose frames are being encoded and sent. */
  #current?: { readonly model: string; readonly ms: Record<string, number> };

  /** @param registry where its histograms are read */
  constructor(registry: Registry) {
    this.#seconds = new ExportedHistogram({
      name: "cpc_step_part_seconds",
      help: "Time of the parts of a model step; only with --profile",
      labelNames: ["model", "part"],
      buckets: [1e-5, 3e-5, 1e-4, 3e-4, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1],
      registers: [registry],
    });
  }

  /** A step was taken; its frames are encoded and sent next. */
  stepTaken({ model, streams, hops, parts = {} }: ProfiledStep): void {
    this.#close();
    const sums = this.#sumsOf(model);
    sums.steps++;
    sums.rows += streams * hops;
    this.#current = { model, ms: { ...parts, encode: 0, send: 0 } };
  }

  /** Some frames of the step were encoded, or sent. */
  took(part: "encode" | "send", ms: number): void {
    const { ms: sums } = this.#current ?? {};
    if (sums) sums[part] = (sums[part] ?? 0) + ms;
  }

  /** The steps since the last table, in ms a step; undefined if there were none. */
  table(): string | undefined {
    this.#close();
    const tables = Array.from(this.#models, ([model, sums]) => tableOf(model, sums));
    this.#models.clear();
    return tables.length > 0 ? tables.join("\n") : undefined;
  }

  #close(): void {
    if (!this.#current) return;
    const { model, ms } = this.#current;
    this.#current = undefined;
    const { parts } = this.#sumsOf(model);
    for (const [part, partMs] of Object.entries(ms)) {
      this.#seconds.record(partMs / 1000, { model, part });
      const { sumMs, mostMs } = parts.get(part) ?? { sumMs: 0, mostMs: 0 };
      parts.set(part, { sumMs: sumMs + partMs, mostMs: Math.max(mostMs, partMs) });
    }
  }

  #sumsOf(model: string): Sums {
    let sums = this.#models.get(model);
    if (!sums) this.#models.set(model, sums = { steps: 0, rows: 0, parts: new Map() });
    return sums;
  }
}

function tableOf(model: string, { steps, rows, parts }: Sums): string {
  const wholeMs = parts.values().reduce((sum, { sumMs }) => sum + sumMs, 0);
  const lines = Array.from(parts, ([part, { sumMs, mostMs }]) =>
    [
      part.padEnd(12),
      (sumMs / steps).toFixed(3).padStart(8),
      mostMs.toFixed(3).padStart(8),
      `${(sumMs / (wholeMs || 1) * 100).toFixed(1)} %`.padStart(7),
    ].join(" "));
  return [
    `profile: ${model}, ${steps} steps of ${(rows / steps).toFixed(1)} hops; ms a step`,
    "part             mean     most   share",
    ...lines,
    `${"whole".padEnd(12)} ${(wholeMs / steps).toFixed(3).padStart(8)}`,
  ].join("\n");
}
