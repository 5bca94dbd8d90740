/** `deno task bench`: speed as ratios against what is measured in the same run. */
import { parseArgs } from "node:util";
import { createEngine } from "../model/engine.ts";
import { loadWeights } from "../model/weights.ts";
import { benchEngines } from "../bench/engines.ts";
import { benchScore } from "../bench/score.ts";
import { benchStep, gemmRate, stepSeconds } from "../bench/step.ts";
import { besideBadClients, type LiveStream, liveStream, percentile } from "../bench/neighbours.ts";
import { ready, residentMB, startServer, streamMany } from "../bench/load.ts";

const HELP = `Measures this machine.

usage: deno task bench [--model FOLDER] [--only step|engines|score|server|start|idle|churn|neighbours] [--seconds N]

  --model FOLDER   weights to measure (CPC_MODEL; default weights/cpc-base)
  --only PART      one part: step (engine against a matrix product), engines (all that work here), score (live scores beside
                   predictions), server (WebSocket server against the bare step), start (time to listening),
                   idle (memory of 1,000 idle connections), churn (memory over 10,000 streams that are dropped),
                   neighbours (a live stream beside a flooding sender and a client that never reads)
  --seconds N      seconds of audio per stream in the server and neighbours parts (default 20)
`;

const SHAPES: [streams: number, hops: number][] = [[1, 1], [4, 1], [8, 1], [16, 1], [32, 1], [64, 1], [1, 8], [1, 64]];
/** The engines part: live batches, and a file. */
const ENGINES = { shapes: [[1, 1], [8, 1], [32, 1], [1, 64]], rounds: 9, roundMs: 300 } as const;
/** Streams of the server part; with 1 worker, its step is compared at the same batch. */
const SERVER_STREAMS = [8, 16, 32];
const IDLE_CONNECTIONS = 1000;
const CHURN_CYCLES = 10_000;
const CHURN_AT_ONCE = 20;

async function step(model: string): Promise<void> {
  console.log("\nstep: one thread, fp32; share = rate of the step / rate of a 256×4096×512 MatMul in ONNX Runtime, same run");
  console.log("streams  hops   step ms  live streams  GFLOP/s  share of GEMM");
  for (const row of await benchStep(await loadWeights(model), SHAPES)) {
    const { streams, hops, stepMs, liveStreams, gflops, shareOfGemm } = row;
    console.log(
      `${pad(streams, 7)}  ${pad(hops, 4)}  ${pad(stepMs.toFixed(2), 8)}  ${pad(liveStreams.toFixed(1), 12)}  ${
        pad(gflops.toFixed(1), 7)
      }  ${pad((shareOfGemm * 100).toFixed(0) + " %", 13)}`,
    );
  }
  console.log(`GEMM: ${(await gemmRate() / 1e9).toFixed(1)} GFLOP/s`);
}

async function score(model: string): Promise<void> {
  console.log(
    "\nscore: one thread, steps of one hop of each stream in turns, medians; on top = what scores add to a step with predictions",
  );
  console.log("streams  context ms  prediction ms  prediction, score ms  on top");
  for (const { streams, ...row } of await benchScore(await loadWeights(model), { streams: [1, 4, 8, 16, 32] })) {
    console.log(
      `${pad(streams, 7)}  ${pad(row.contextMs.toFixed(2), 10)}  ${pad(row.predictionMs.toFixed(2), 13)}  ${
        pad(row.scoreMs.toFixed(2), 20)
      }  ${pad((row.onTop * 100).toFixed(1) + " %", 6)}`,
    );
  }
}

async function engines(model: string): Promise<void> {
  const { rows, leftOut } = await benchEngines(await loadWeights(model), ENGINES);
  console.log(
    "\nengines: seconds of audio computed per second, one thread, fp32; in brackets the ratio to the first engine in the same",
  );
  console.log(`round; medians of ${ENGINES.rounds} rounds in which the engines took turns`);
  const title = ENGINES.shapes.map(([streams, hops]) => pad(`${streams} × ${hops}`, 16)).join("");
  console.log(`${"streams × hops".padEnd(15)}${title}`);
  for (const { name, library, rates } of rows) {
    const cells = rates.map(({ rate, ratio }) => pad(`${rate.toPrecision(3)} (${ratio.toPrecision(2)})`, 16)).join("");
    console.log(`${name.padEnd(15)}${cells}  ${library}`);
  }
  for (const { name, why } of leftOut) console.log(`${name.padEnd(15)}  left out: ${why}`);
}

async function server(model: string, seconds: number): Promise<void> {
  console.log(
    `\nserver: --workers 1, binary context frames, ${seconds} s a stream in messages of 100 ms, as fast as it takes them;`,
  );
  console.log("share = stream-seconds per second / those of the bare step at the same batch and as many hops, same run");
  console.log("streams  server  bare step  share");
  const engine = await createEngine("onnx", await loadWeights(model), { device: "cpu", precision: "fp32", threads: 1 });
  const child = await startServer(["--model", model, "--workers", "1", "--max-streams", "2000"]);
  for (const streams of SERVER_STREAMS) {
    const rates: number[] = [];
    const bare: number[] = [];
    for (let i = 0; i < 3; i++) {
      const hops = Math.max(1, 64 / streams);
      bare.push(streams * hops / 100 / await stepSeconds(engine, { streams, hops, runs: 20 }));
      rates.push(streams * seconds / await streamMany(child.url, { streams, seconds, query: "format=binary" }));
    }
    const [rate, base] = [median(rates), median(bare)];
    console.log(
      `${pad(streams, 7)}  ${pad(rate.toFixed(1), 6)}  ${pad(base.toFixed(1), 9)}  ${
        pad((rate / base * 100).toFixed(0) + " %", 5)
      }`,
    );
  }
  await child.stop();
  await engine.dispose();
}

async function start(model: string): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const child = await startServer(["--model", model]);
    times.push(child.startMs);
    await child.stop();
  }
  console.log(
    `\nstart: ${times.map((ms) => ms.toFixed(0)).join(", ")} ms from spawn to listening, median ${median(times).toFixed(0)} ms`,
  );
}

async function idle(model: string): Promise<void> {
  const child = await startServer(["--model", model, "--max-streams", "2000"]);
  for (let i = 0; i < 10; i++) (await ready(child.url, "")).close(); // what the first connections cost is not theirs alone
  const before = await residentMB(child.pid);
  const sockets = [];
  for (let i = 0; i < IDLE_CONNECTIONS; i++) sockets.push(await ready(child.url, ""));
  const after = await residentMB(child.pid);
  console.log(
    `\nidle: ${IDLE_CONNECTIONS} connections add ${(after - before).toFixed(0)} MB (${before.toFixed(0)} → ${
      after.toFixed(0)
    } MB resident)`,
  );
  for (const socket of sockets) socket.terminate();
  await child.stop();
}

async function churn(model: string): Promise<void> {
  const child = await startServer(["--model", model, "--max-streams", "2000", "--resume-window", "1"]);
  const audio = new Uint8Array(3200); // 100 ms
  const marks: { cycles: number; mb: number }[] = [];
  for (let cycles = 0; cycles <= CHURN_CYCLES; cycles += CHURN_AT_ONCE) {
    if (cycles % (CHURN_CYCLES / 10) === 0) marks.push({ cycles, mb: await residentMB(child.pid) });
    const sockets = await Promise.all(Array.from({ length: CHURN_AT_ONCE }, () => ready(child.url, "")));
    await Promise.all(sockets.map(async (socket) => {
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.send(audio, () => socket.terminate());
      await closed;
    }));
  }
  await child.stop();
  const settled = marks.slice(marks.length / 2); // the first half fills caches and heaps
  const mean = (of: (mark: { cycles: number; mb: number }) => number) =>
    settled.reduce((sum, mark) => sum + of(mark), 0) / settled.length;
  const [x, y] = [mean(({ cycles }) => cycles), mean(({ mb }) => mb)];
  const slope = mean(({ cycles, mb }) => (cycles - x) * (mb - y)) / mean(({ cycles }) => (cycles - x) ** 2);
  console.log(
    `\nchurn: ${CHURN_CYCLES} streams connected, given audio and dropped; resident MB: ${
      marks.map(({ mb }) => mb.toFixed(0)).join(" ")
    }`,
  );
  console.log(`slope over the second half: ${(slope * 1000).toFixed(2)} MB per 1,000 streams`);
}

async function neighbours(model: string, seconds: number): Promise<void> {
  const child = await startServer(["--model", model]);
  console.log(`\nneighbours: a live stream of ${seconds} s, alone and beside a flooding sender and a client that never reads;`);
  console.log("latency from sending the audio that completes a frame to its arrival, in ms");
  console.log("         alone  beside  ratio");
  const rounds: { alone: LiveStream; beside: LiveStream }[] = [];
  for (let i = 0; i < 3; i++) {
    const alone = await liveStream(child.url, seconds);
    const beside = await besideBadClients(child.url, () => liveStream(child.url, seconds));
    rounds.push({ alone, beside });
  }
  await child.stop();
  for (const [name, share] of [["median", 0.5], ["p99", 0.99]] as const) {
    const [alone, beside] = (["alone", "beside"] as const).map((which) =>
      percentile(rounds.flatMap((round) => round[which].latenciesMs), share)
    );
    console.log(
      `${name.padEnd(6)}  ${pad(alone.toFixed(1), 6)}  ${pad(beside.toFixed(1), 6)}  ${pad((beside / alone).toFixed(2), 5)}`,
    );
  }
  const truth = rounds[0].alone.context;
  const others = rounds.flatMap(({ alone, beside }) => [alone.context, beside.context]);
  const largest = Math.max(...others.map((context) => maxDifference(context, truth)));
  console.log(`${truth.length} numbers a stream, largest difference ${largest.toExponential(1)}`);
}

/** Infinity when one is longer. */
function maxDifference(a: Float32Array, b: Float32Array): number {
  return a.length === b.length ? a.reduce((max, x, i) => Math.max(max, Math.abs(x - b[i])), 0) : Infinity;
}

const pad = (value: unknown, width: number) => String(value).padStart(width);
const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** Runs the command; resolves to its exit status. */
export async function bench(args: string[]): Promise<number> {
  const parts = { step, engines, score, server, start, idle, churn, neighbours };
  let flags;
  try {
    flags = parseArgs({
      args,
      options: { model: { type: "string" }, only: { type: "string" }, seconds: { type: "string" }, help: { type: "boolean" } },
    }).values;
    if (flags.only !== undefined && !Object.hasOwn(parts, flags.only)) {
      throw new TypeError(`--only takes ${Object.keys(parts).join(", ")}`);
    }
    if (flags.seconds !== undefined && !/^[1-9]\d{0,3}$/.test(flags.seconds)) throw new TypeError("--seconds takes 1 to 9999");
  } catch (error) {
    console.error(`deno task bench: ${(error as Error).message}; see --help`);
    return 2;
  }
  if (flags.help) {
    console.log(HELP);
    return 0;
  }
  const model = flags.model ?? Deno.env.get("CPC_MODEL") ?? "weights/cpc-base";
  for (const [name, part] of Object.entries(parts)) {
    if (flags.only === undefined || flags.only === name) await part(model, Number(flags.seconds ?? 20));
  }
  return 0;
}

if (import.meta.main) Deno.exit(await bench(Deno.args));
