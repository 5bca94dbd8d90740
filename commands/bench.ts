/** `deno task bench`: speed, as ratios within one run. */
import { abuse } from "../bench/abuse.ts";
import { capacity } from "../bench/capacity.ts";
import { embedding } from "../bench/embed.ts";
import { engines, heads, int8, profile, scheduler, score, step } from "../bench/compute_parts.ts";
import { idle } from "../bench/idle.ts";
import { churn, neighbours, server, socketThread, start } from "../bench/server_parts.ts";
import { processes } from "../bench/processes.ts";
import { stalls } from "../bench/stalls.ts";
import { vap } from "../bench/vap_part.ts";
import type { Values } from "../config/setting.ts";
import { UsageError } from "../errors.ts";
import { loadWeights } from "../model/weights.ts";
import { BENCH, type Part, PART_NAMES } from "./bench/options.ts";
import { runCommand } from "./cli.ts";

type Given = Values<typeof BENCH.settings>;

const MEASUREMENTS: Record<Part, (model: string, seconds: number, given: Given) => Promise<void>> =
  {
    step,
    engines,
    int8,
    profile,
    score,
    heads,
    embed: embedding,
    vap: (_model, seconds, { python }) => vap({ seconds, python }),
    scheduler,
    async server(model, seconds) {
      await server(model, seconds);
      await socketThread();
    },
    capacity: (_model, _seconds, given) => capacity(given),
    processes,
    start,
    idle: (model) => idle(model),
    churn,
    neighbours,
    abuse: (model, seconds) => abuse(model, seconds),
    stalls,
  };

/** Runs the command; resolves to its exit status. */
export function bench(args: string[]): Promise<number> {
  return runCommand(BENCH, async (given) => {
    const { model, only, seconds } = given;
    for (const name of ["url", "key", "streams", "out"] as const) {
      if (given[name] !== undefined && only !== "capacity") {
        throw new UsageError(`--${name} needs --only capacity`);
      }
    }
    // refuses a folder that does not load before measuring anything
    if (given.url === undefined) await loadWeights(model);
    for (const part of only ? [only] : PART_NAMES) await MEASUREMENTS[part](model, seconds, given);
  }, { args });
}

if (import.meta.main) Deno.exit(await bench(Deno.args));
