/** The command line of `deno task bench`. */
import { choice, whole } from "../../config/kinds.ts";
import { twinned } from "../../config/setting.ts";
import { MODEL_SETTING } from "../../config/settings.ts";
import type { Command } from "../cli.ts";

/** What can be measured, in this order. */
export const PARTS = {
  step: "the engine against a matrix product",
  engines: "every engine and device that works here",
  int8: "what 8 bits change",
  score: "live scores beside predictions",
  scheduler: "who waits for whom in a model worker",
  server: "WebSocket server against the bare step",
  start: "time to listening",
  idle: "memory of 1,000 idle connections",
  churn: "memory over 300,000 streams that are dropped",
  neighbours: "a live stream beside a flooding sender and a client that never reads",
  stalls: "how long hostile bodies stop the event loop",
} as const;
/** One of {@linkcode PARTS}. */
export type Part = keyof typeof PARTS;

/** Their names. */
export const PART_NAMES = Object.keys(PARTS) as Part[];

/** The command line. */
export const BENCH = {
  name: "bench",
  about: "Measures this machine.",
  usage: "[flags]",
  settings: {
    model: MODEL_SETTING,
    ...twinned("CPC_BENCH_", {
      only: choice(PART_NAMES, { value: "PART", words: "all", help: "one part" }),
      seconds: whole({
        min: 1,
        max: 9999,
        fallback: 20,
        help: "seconds of audio per stream in the parts scheduler, server and neighbours",
      }),
    }),
  },
  notes: [
    ["Parts:", ...Object.entries(PARTS).map(([name, what]) => `  ${name.padEnd(12)}${what}`)]
      .join("\n"),
  ],
} satisfies Command;
