/**
 * How many real-time streams a server holds: `deno task bench --only capacity`. The latency of a
 * response begins when its last audio is sent, as in NVIDIA Riva's streaming client with
 * `--simulate_realtime`, whose tables have the same percentiles
 * (https://docs.nvidia.com/nim/riva/asr/latest/performance.html).
 */
import { join } from "node:path";
import { lineChart } from "../formats/svg.ts";
import { largestHeld } from "./capacity_search.ts";
import { cpuSecondsOf } from "./cpu_seconds.ts";
import { startServer } from "./load.ts";
import { type Level, pacedLoad } from "./paced_load.ts";
import { PacedStream, type Target } from "./paced_stream.ts";
import { MESSAGE_MS } from "./real_time.ts";
import { pad } from "./print.ts";

/** A stream is live while its 99th percentile stays below this. */
const BOUND_MS = 40;
/** A load generator that is later than a message measures itself. */
const MOST_LAG_MS = MESSAGE_MS;
const MOST_STREAMS = 10_000;

/** What to measure. */
export interface CapacityOptions {
  readonly model: string;
  readonly seconds: number;
  /** A server that runs already; by default one is started. */
  readonly url?: string;
  readonly key?: string;
  /** Measures this number alone. */
  readonly streams?: number;
  /** A folder for `capacity.json` and `capacity.svg`. */
  readonly out?: string;
  readonly print?: (line: string) => void;
}

/**
 * Measures, and prints a table; its last line is the largest number of streams held.
 *
 * @throws {Error} if the server takes not even one stream
 */
export async function capacity(
  { model, seconds, url, key, streams, out, print = console.log }: CapacityOptions,
): Promise<void> {
  const child = url === undefined ? await startServer(["--model", model]) : undefined;
  const target: Target = { url: streamUrl(url ?? child!.url), key };
  const cpuSeconds = child && (() => cpuSecondsOf(child.pid));
  for (const line of headOf({ seconds, where: url ?? `${model}, a server of its own` })) {
    print(line);
  }
  const levels: Level[] = [];
  const holds = async (streams: number) => {
    const level = await pacedLoad(target, { streams, seconds, cpuSeconds });
    levels.push(level);
    print(rowOf(level));
    return isHeld(level);
  };
  try {
    await tryOne(target);
    const largest = streams === undefined
      ? await largestHeld(holds, { most: MOST_STREAMS })
      : await holds(streams)
      ? streams
      : 0;
    if (out !== undefined) await write(out, { model, url, seconds, largest, levels });
    print(`largest number of streams held at p99 ≤ ${BOUND_MS} ms: ${largest}`);
  } finally {
    await child?.stop();
  }
}

/** @throws {Error} if the server takes not even one stream */
async function tryOne(target: Target): Promise<void> {
  const stream = await PacedStream.open(target);
  if (stream.ended !== undefined) {
    throw new Error(`no stream can be opened at ${target.url}: ${stream.ended}`);
  }
  await stream.close();
}

/** Whether all streams stayed live, and the load generator was on time. */
export function isHeld({ p99Ms, owedFrames, ended, lagP99Ms }: Level): boolean {
  return p99Ms <= BOUND_MS && owedFrames === 0 && ended === 0 && lagP99Ms <= MOST_LAG_MS;
}

/** Where streams of a server are opened: `/v1/stream`, unless the address has a path. */
export function streamUrl(address: string): string {
  const url = new URL(address.replace(/^http/, "ws"));
  return url.origin + (url.pathname === "/" ? "/v1/stream" : url.pathname);
}

function headOf({ seconds, where }: { seconds: number; where: string }): string[] {
  return [
    "",
    `capacity: ${where}; real-time streams in messages of ${MESSAGE_MS} ms, phases spread evenly,`,
    `${seconds} s each after one that is not counted; context frames in binary.`,
    "latency: per frame, from sending the message that completes it to its arrival;",
    "owed: frames that had not come 1 s after the last message; ended: streams refused or closed;",
    "cpu: cores that the server used; lag: how late this program sent, 99th percentile.",
    `held: p99 ≤ ${BOUND_MS} ms, none owed, none ended, lag ≤ ${MOST_LAG_MS} ms.`,
    "streams  p50 ms  p90 ms  p95 ms  p99 ms  max ms   owed  ended    cpu  lag ms  held",
  ];
}

function rowOf(level: Level): string {
  const { streams, p50Ms, p90Ms, p95Ms, p99Ms, maxMs, owedFrames, ended, reason } = level;
  const ms = [p50Ms, p90Ms, p95Ms, p99Ms, maxMs];
  const cells = [
    pad(streams, 7),
    ...ms.map((ms) => pad(ms.toFixed(1), 6)),
    pad(owedFrames, 5),
    pad(ended, 5),
    pad(level.serverCores?.toFixed(2) ?? "–", 5),
    pad(level.lagP99Ms.toFixed(1), 6),
    pad(isHeld(level) ? "yes" : "no", 4),
  ];
  return cells.join("  ") + (reason === undefined ? "" : `  (${reason})`);
}

async function write(
  folder: string,
  result: { model: string; url?: string; seconds: number; largest: number; levels: Level[] },
): Promise<void> {
  const { largest } = result;
  const levels = result.levels.toSorted((a, b) => a.streams - b.streams);
  await Deno.mkdir(folder, { recursive: true });
  const conditions = {
    date: new Date().toISOString(),
    cores: navigator.hardwareConcurrency,
    messageMs: MESSAGE_MS,
    boundMs: BOUND_MS,
  };
  await Deno.writeTextFile(
    join(folder, "capacity.json"),
    JSON.stringify({ ...conditions, ...result, levels }, null, 2) + "\n",
  );
  const points = (of: (level: Level) => number) =>
    levels.map((level): [number, number] => [level.streams, of(level)]);
  const svg = lineChart({
    title: `Latency of real-time streams: ${largest} held at p99 ≤ ${BOUND_MS} ms`,
    xLabel: "streams",
    yLabel: "ms",
    y: { range: [0, 3 * BOUND_MS] },
    series: [
      { name: "p50", points: points(({ p50Ms }) => p50Ms) },
      { name: "p95", points: points(({ p95Ms }) => p95Ms) },
      { name: "p99", points: points(({ p99Ms }) => p99Ms) },
      { name: `bound, ${BOUND_MS} ms`, points: points(() => BOUND_MS) },
    ],
  });
  await Deno.writeTextFile(join(folder, "capacity.svg"), svg);
}
