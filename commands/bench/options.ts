/** The command line of `deno task bench`. */
import { choice, custom, text, whole } from "../../config/kinds.ts";
import { twinned } from "../../config/setting.ts";
import { MODEL_SETTING } from "../../config/settings.ts";
import type { Command } from "../cli.ts";

/** What can be measured, in this order. */
export const PARTS = {
  step: "the engine against a matrix product",
  engines: "every engine and device that works here",
  int8: "what 8 bits change",
  profile: "where a step's time goes, and what --profile costs",
  score: "live scores beside predictions",
  heads: "what heads add to a step",
  embed: "deno task embed on all cores against the bare step",
  vap: "how many dialogues a core holds, from audio to whose turn it is",
  scheduler: "who waits for whom in a model worker",
  server: "WebSocket server against the bare step, and its thread of sockets",
  capacity: "how many real-time streams a server holds",
  processes: "two processes on one port against one",
  start: "time to listening",
  idle: "memory of 10,000 idle connections, and live streams beside them",
  churn: "memory over 300,000 streams that are dropped",
  neighbours: "a live stream beside a flooding sender and a client that never reads",
  abuse: "a live stream beside each kind of abuse",
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
        help: "seconds of audio per stream in the parts vap, scheduler, server, capacity, " +
          "processes, neighbours and abuse",
      }),
      url: custom({
        value: "URL",
        words: "a server is started",
        help: "capacity: a server of this protocol, as ws://HOST:PORT",
      }, {
        takes: "ws://HOST:PORT or wss://HOST:PORT",
        accept: (text) => /^wss?:$/.test(URL.parse(text)?.protocol ?? "") ? text : undefined,
      }),
      python: text({
        value: "PATH",
        fallback: "python3",
        help: "vap: a Python that has the package maai, whose own loop is timed too",
      }),
      key: text({ value: "KEY", help: "capacity: the key for --url" }),
      streams: whole({
        min: 1,
        max: 10_000,
        words: "a search for the largest",
        help: "capacity: measure this number of streams alone",
      }),
      out: text({ value: "DIR", help: "capacity: write capacity.json and capacity.svg there" }),
    }),
  },
  notes: [
    ["Parts:", ...Object.entries(PARTS).map(([name, what]) => `  ${name.padEnd(12)}${what}`)]
      .join("\n"),
    "The server that a part starts reads CPC_WORKERS, CPC_PRECISION and so on, as " +
    "`deno task start` does.",
  ],
} satisfies Command;
