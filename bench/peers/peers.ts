/** Compares servers of one model on one core, in turns: `deno task bench:peers`. */
import { type ModelConfig, streamingPlan } from "../../model/architecture.ts";
import type { Precision } from "../../model/engine.ts";
import { loadWeights, modelDims } from "../../model/weights.ts";
import { isHeld, streamUrl } from "../capacity.ts";
import { largestHeld } from "../capacity_search.ts";
import { cpuSecondsOf } from "../cpu_seconds.ts";
import { type ChildServer, residentMB } from "../load.ts";
import { type Level, pacedLoad, summary } from "../paced_load.ts";
import type { PacedReport } from "../paced_worker.ts";
import { median } from "../statistics.ts";
import { flopsPerHop } from "../step.ts";
import { contextsOf, largestDifference } from "./contexts.ts";
import type { Contender } from "./servers.ts";
import { Turns } from "./turns.ts";

/** Contexts of an exact server may differ from ours by this much. */
const TOLERANCE = 1e-4;
/** A search ends once the number is known to this share. */
const WITHIN = 0.05;
/** Most streams that are tried. */
const MOST_STREAMS = 200;
const LIMIT_ROUNDS = 5;

/** What one program held. */
interface Found {
  readonly name: string;
  /** The largest number of streams held. */
  readonly largest: number;
  /** With one stream. */
  readonly alone: Level;
  /** With the largest number; undefined if that is 0. */
  readonly full?: Level;
}

/** One row of the table. */
export interface PeerRow extends Found {
  /** Multiplications at the largest number, relative to the machine's limit on this core. */
  readonly shareOfLimit: number;
  /** Of a server; the bare step is none. */
  readonly server?: {
    /** From spawn to listening. */
    readonly startMs: number;
    /** From our server's contexts in fp32. */
    readonly difference: number;
    /** Resident, with the largest number of streams connected. */
    readonly memoryMB: number;
  };
}

/** The table, and who is not in it. */
export interface PeerTable {
  readonly rows: readonly PeerRow[];
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
  /** Of the matrix product, on the same core between the servers' turns. */
  readonly limitFlops: number;
}

/**
 * Starts all servers on the first core, compares what they answer, then searches for the largest
 * number of streams that each holds, and the bare step without a server. Levels of all searches take
 * turns.
 *
 * @param contenders ours in fp32 first
 * @param options `seconds`: of audio a stream and level, after one that is not counted; `most`:
 *   streams to try; `bare`: precisions of the bare step; `print`: is told of each level
 * @throws {Error} if the answers of an exact one differ
 */
export async function benchPeers(
  contenders: readonly Contender[],
  { model, seconds, most = MOST_STREAMS, bare = [], print }: {
    model: string;
    seconds: number;
    most?: number;
    bare?: readonly Precision[];
    print: (line: string) => void;
  },
): Promise<PeerTable> {
  const { config } = await loadWeights(model);
  const plan = streamingPlan(config);
  const running: { contender: Contender; server: ChildServer; difference: number }[] = [];
  const leftOut: { name: string; why: string }[] = [];
  try {
    let truth: Float32Array[] | undefined;
    for (const contender of contenders) {
      const { name } = contender;
      let server: ChildServer;
      try {
        server = await contender.start();
      } catch (error) {
        leftOut.push({ name, why: (error as Error).message });
        continue;
      }
      running.push({ contender, server, difference: NaN });
      const contexts = await contextsOf(server.url);
      truth ??= contexts;
      const difference = differenceOf(truth, contexts, config);
      if (contender.exact && !(difference <= TOLERANCE)) {
        throw new Error(`${name}: contexts differ from ours by ${difference}, over ${TOLERANCE}`);
      }
      running[running.length - 1].difference = difference;
      print(`${name}: started; largest difference ${difference.toExponential(1)}`);
    }
    const turns = new Turns();
    const limits: number[] = [];
    const measureLimits = async () => {
      for (let i = 0; i < LIMIT_ROUNDS; i++) limits.push(await turns.take(limitFlops));
    };
    const search = { most, turns, print };
    const [found] = await Promise.all([
      Promise.all([
        ...running.map(({ contender: { name }, server, difference }) =>
          searchedServer(server, { name, difference, seconds, ...search })
        ),
        ...bare.map((precision) =>
          searched(`the bare step, ${precision}`, {
            level: (streams) => bareLevel({ model, precision, streams, seconds }),
            ...search,
          })
        ),
      ]),
      measureLimits(),
    ]);
    const limit = median(limits);
    const flops = flopsPerHop({ config, plan, dims: modelDims(config) });
    const hopsPerSecond = config.sample_rate / plan.hopSamples;
    const rows = found.map((row): PeerRow => ({
      ...row,
      shareOfLimit: row.largest * hopsPerSecond * flops / limit,
    }));
    return { rows, leftOut, limitFlops: limit };
  } finally {
    await Promise.all(running.map(({ server }) => server.stop()));
  }
}

function differenceOf(
  truth: readonly Float32Array[],
  contexts: readonly Float32Array[],
  config: ModelConfig,
): number {
  const { hopSamples, lookaheadSamples } = streamingPlan(config);
  return largestDifference(truth, contexts, {
    width: modelDims(config).context,
    tailFrames: Math.ceil(lookaheadSamples / hopSamples),
  });
}

/** How the largest number of streams is searched for. */
interface Search {
  readonly most: number;
  readonly turns: Turns;
  readonly print: (line: string) => void;
}

/** Searches for what one program holds, a level a turn. */
async function searched(
  name: string,
  { level, most, turns, print }: Search & { level: (streams: number) => Promise<Level> },
): Promise<Found> {
  const levels = new Map<number, Level>();
  const measured = (streams: number) =>
    turns.take(async () => {
      const measured = await level(streams);
      levels.set(streams, measured);
      const held = isHeld(measured);
      print(`${name}: ${streams}: p99 ${measured.p99Ms.toFixed(1)} ms${held ? "" : ", not held"}`);
      return held;
    });
  // other work on the machine may have been in the way of one try
  const holds = async (streams: number) => await measured(streams) || await measured(streams);
  const largest = await largestHeld(holds, { most, within: WITHIN });
  return { name, largest, alone: levels.get(1)!, full: levels.get(largest) };
}

/** Searches for what a server holds. */
async function searchedServer(
  { url, pid, startMs }: ChildServer,
  { name, difference, seconds, ...search }: Search & {
    name: string;
    difference: number;
    seconds: number;
  },
): Promise<Omit<PeerRow, "shareOfLimit">> {
  const memoriesMB = new Map<number, number>();
  const level = (streams: number) =>
    pacedLoad({ url: streamUrl(url) }, {
      streams,
      seconds,
      async cpuSeconds() {
        memoriesMB.set(streams, await residentMB(pid)); // its streams are open
        return await cpuSecondsOf(pid);
      },
    });
  const found = await searched(name, { level, ...search });
  const memoryMB = memoriesMB.get(found.largest || 1)!;
  return { ...found, server: { startMs, difference, memoryMB } };
}

/** What the bare step takes for so many streams, on the servers' core. */
async function bareLevel(
  { model, precision, streams, seconds }: {
    model: string;
    precision: Precision;
    streams: number;
    seconds: number;
  },
): Promise<Level> {
  const printed = await onServersCore("bare_live.ts", [
    model,
    precision,
    `${streams}`,
    `${seconds}`,
  ]);
  return summary(streams, [JSON.parse(printed) as PacedReport]);
}

/** Keeps this process, which makes the load, off the servers' core. */
export async function leaveFirstCore(): Promise<void> {
  const others = `1-${navigator.hardwareConcurrency - 1}`;
  await outputOf(["taskset", "--all-tasks", "--pid", "--cpu-list", others, `${Deno.pid}`]);
}

/** Floating-point operations a second of a matrix product on the servers' core. */
async function limitFlops(): Promise<number> {
  return Number(await onServersCore("limit.ts", []));
}

/** Runs a program of this folder on the servers' core; resolves to what it printed. */
function onServersCore(program: string, args: readonly string[]): Promise<string> {
  const script = new URL(program, import.meta.url).pathname;
  const rights = [
    "--allow-read",
    "--allow-ffi",
    "--allow-env=CPC_*,ORT_*,TF_*,NVIDIA_TF32_OVERRIDE,LOG_TOKENS,LOG_STREAM",
  ];
  const deno = [Deno.execPath(), "run", "--quiet", "--frozen", ...rights, script, ...args];
  return outputOf(["taskset", "-c", "0", ...deno]);
}

async function outputOf([program, ...args]: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr).trim()}`);
  return new TextDecoder().decode(stdout);
}
