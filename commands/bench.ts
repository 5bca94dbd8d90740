/** `deno task bench`: speed as ratios against what is measured in the same run. */
import { parseArgs } from "node:util";
import { engines, int8, score, step } from "../bench/compute_parts.ts";
import { CpcError } from "../errors.ts";
import { loadWeights } from "../model/weights.ts";
import { churn, idle, neighbours, server, start } from "../bench/server_parts.ts";

/** What can be measured, in this order. */
const PARTS: Record<
  string,
  { readonly what: string; readonly run: (model: string, seconds: number) => Promise<void> }
> = {
  step: { run: step, what: "the engine against a matrix product" },
  engines: { run: engines, what: "every engine and device that works here" },
  int8: { run: int8, what: "what 8 bits change" },
  score: { run: score, what: "live scores beside predictions" },
  server: { run: server, what: "WebSocket server against the bare step" },
  start: { run: start, what: "time to listening" },
  idle: { run: idle, what: "memory of 1,000 idle connections" },
  churn: { run: churn, what: "memory over 300,000 streams that are dropped" },
  neighbours: {
    run: neighbours,
    what: "a live stream beside a flooding sender and a client that never reads",
  },
};

const HELP = `Measures this machine.

usage: deno task bench [--model FOLDER] [--only PART] [--seconds N]

  --model FOLDER   weights to measure (CPC_MODEL; default weights/cpc-base)
  --only PART      one part (CPC_BENCH_ONLY):
${
  Object.entries(PARTS).map(([name, { what }]) => `                     ${name.padEnd(11)} ${what}`)
    .join("\n")
}
  --seconds N      seconds of audio per stream in the server and neighbours parts (CPC_BENCH_SECONDS; default 20)
`;

/** Runs the command; resolves to its exit status. */
export async function bench(args: string[]): Promise<number> {
  let flags;
  try {
    flags = parseArgs({
      args,
      options: {
        model: { type: "string" },
        only: { type: "string" },
        seconds: { type: "string" },
        help: { type: "boolean" },
      },
    }).values;
    flags.only ??= Deno.env.get("CPC_BENCH_ONLY") || undefined;
    flags.seconds ??= Deno.env.get("CPC_BENCH_SECONDS") || undefined;
    if (flags.only !== undefined && !Object.hasOwn(PARTS, flags.only)) {
      throw new TypeError(`--only takes ${Object.keys(PARTS).join(", ")}`);
    }
    if (flags.seconds !== undefined && !/^[1-9]\d{0,3}$/.test(flags.seconds)) {
      throw new TypeError("--seconds takes 1 to 9999");
    }
  } catch (error) {
    console.error(`deno task bench: ${(error as Error).message}; see --help`);
    return 2;
  }
  if (flags.help) {
    console.log(HELP);
    return 0;
  }
  const model = flags.model ?? Deno.env.get("CPC_MODEL") ?? "weights/cpc-base";
  try {
    await loadWeights(model);
  } catch (error) {
    if (!(error instanceof CpcError)) throw error;
    console.error(`deno task bench: ${error.message}`);
    return 2;
  }
  for (const [name, { run }] of Object.entries(PARTS)) {
    if (flags.only === undefined || flags.only === name) {
      await run(model, Number(flags.seconds ?? 20));
    }
  }
  return 0;
}

if (import.meta.main) Deno.exit(await bench(Deno.args));
