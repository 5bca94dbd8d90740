/** The table that `deno task gpu` prints, in the form that docs/gpu.md has. */

import type { StepOutcome } from "./steps.ts";

/** An engine on a device. */
export interface DeviceRow {
  readonly name: string;
  /** Says that a card's driver is one in software. */
  readonly warning?: string;
  /** Largest |Δ| against PyTorch; undefined when that was not found out. */
  readonly largest?: number;
  /** Most live streams at p99 ≤ 40 ms; undefined when that was not found out. */
  readonly live?: number;
}

/** A stretch of training. */
export interface TrainingRow {
  readonly config: string;
  readonly steps: number;
  readonly audioSecondsPerSecond: number;
  readonly nce: { readonly first: number; readonly last: number };
}

/** PyTorch's rates, in seconds of audio per second. */
export interface TorchRow {
  readonly torch: string;
  readonly device: string;
  readonly rates: Readonly<Record<string, number>>;
}

/** What the machine has, and whether each engine works on it. */
export function linesOfDoctor({ machine, engines }: {
  machine: readonly { readonly name: string; readonly detail: string }[];
  engines: readonly {
    readonly engine: string;
    readonly device: string;
    readonly works: boolean;
    readonly why?: string;
    readonly warning?: string;
  }[];
}): string[] {
  return [
    ...machine.map(({ name, detail }) => `${name}: ${detail}`),
    ...engines.map(({ engine, device, works, why, warning }) => {
      const more = why ?? warning;
      return `${works ? "✓" : "–"} ${engine} on ${device}${more === undefined ? "" : `: ${more}`}`;
    }),
  ];
}

/** The lines of the report. */
export function linesOf(
  { date, machine, rows, trained, torch, steps }: {
    date: string;
    machine: readonly { readonly name: string; readonly detail: string }[];
    rows: readonly DeviceRow[];
    trained?: TrainingRow;
    torch?: TorchRow;
    steps: readonly StepOutcome[];
  },
): string[] {
  const devices = rows.map(({ name, warning, largest, live }) => {
    const title = warning === undefined ? name : `${name} (${warning})`;
    return `| ${[title, largest?.toExponential(1) ?? "–", live ?? "–"].join(" | ")} |`;
  });
  return [
    `${date.slice(0, 10)}`,
    ...machine.map(({ name, detail }) => `${name}: ${detail}`),
    "",
    "| engine | largest abs. diff. from PyTorch | live streams at p99 ≤ 40 ms |",
    "| --- | --- | --- |",
    ...devices,
    "",
    ...(trained
      ? [
        `training on WebGPU, ${trained.config}: ${trained.audioSecondsPerSecond.toPrecision(3)} ` +
        `audio-s/s; nce ${trained.nce.first.toFixed(3)} → ${trained.nce.last.toFixed(3)} in ` +
        `${trained.steps} steps`,
      ]
      : []),
    ...(torch
      ? [
        `PyTorch ${torch.torch} on ${torch.device}: ` +
        Object.entries(torch.rates).map(([name, rate]) =>
          `${name} ${rate.toPrecision(3)} audio-s/s`
        )
          .join(", "),
      ]
      : []),
    ...steps.flatMap(({ name, failed }) =>
      failed === undefined ? [] : [`FAILED: ${name}: ${failed}`]
    ),
  ];
}
