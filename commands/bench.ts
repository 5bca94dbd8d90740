/** `deno task bench`: speed, as ratios within one run. */
import { engines, int8, scheduler, score, step } from "../bench/compute_parts.ts";
import { churn, idle, neighbours, server, start } from "../bench/server_parts.ts";
import { stalls } from "../bench/stalls.ts";
import { loadWeights } from "../model/weights.ts";
import { BENCH, type Part, PART_NAMES } from "./bench/options.ts";
import { runCommand } from "./cli.ts";

const MEASUREMENTS: Record<Part, (model: string, seconds: number) => Promise<void>> = {
  step,
  engines,
  int8,
  score,
  scheduler,
  server,
  start,
  idle,
  churn,
  neighbours,
  stalls,
};

/** Runs the command; resolves to its exit status. */
export function bench(args: string[]): Promise<number> {
  return runCommand(BENCH, async ({ model, only, seconds }) => {
    await loadWeights(model); // refuses a folder that does not load before measuring anything
    for (const part of only ? [only] : PART_NAMES) await MEASUREMENTS[part](model, seconds);
  }, { args });
}

if (import.meta.main) Deno.exit(await bench(Deno.args));
