/** Parts of `deno task bench` that measure a server in a process of its own. */
import { maxDifference } from "../conformance/golden.ts";
import { createEngine } from "../model/engines/create.ts";
import { loadWeights } from "../model/weights.ts";
import { streamUrl } from "./capacity.ts";
import {
  type ChildServer,
  ready,
  residentMB,
  socketThreadSeconds,
  startProgram,
  startServer,
  streamMany,
} from "./load.ts";
import { besideBadClients, type LiveStream, liveStream } from "./neighbours.ts";
import { pacedLoad } from "./paced_load.ts";
import { pad } from "./print.ts";
import { median, percentiles, slopeOf } from "./statistics.ts";
import { writeThinModel } from "./thin_model.ts";
import { stepSeconds } from "./step.ts";

/** Streams of the server part; with 1 worker, compared with the step at the same batch size. */
const SERVER_STREAMS = [8, 16, 32];
const THREAD_STREAMS = [8, 24, 64];
const THREAD_SECONDS = 8;
const CHURN_CYCLES = 300_000;
const CHURN_AT_ONCE = 20;

/** A WebSocket server, compared with the bare step. */
export async function server(model: string, seconds: number): Promise<void> {
  console.log(
    `\nserver: --workers 1, binary context frames, ${seconds} s per stream in messages of ` +
      "100 ms, as fast as it takes them;",
  );
  console.log(
    "share = stream-seconds per second / those of the bare step at the same batch and as " +
      "many hops, same run",
  );
  console.log("streams  server  bare step  share");
  const engine = await createEngine("onnx", await loadWeights(model), {
    device: "cpu",
    precision: "fp32",
    threads: 1,
  });
  const child = await startServer(["--model", model, "--workers", "1"]);
  for (const streams of SERVER_STREAMS) {
    const rates: number[] = [];
    const bare: number[] = [];
    for (let i = 0; i < 3; i++) {
      const hops = Math.max(1, 64 / streams);
      bare.push(streams * hops / 100 / await stepSeconds(engine, { streams, hops, runs: 20 }));
      rates.push(
        streams * seconds /
          await streamMany(child.url, { streams, seconds, query: "format=binary" }),
      );
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

/**
 * What a live stream costs the thread of the sockets, in its time on processors: other work on the
 * machine does not count, except that it lets the thread do more at a time. Beside it, in turns,
 * the least that a server of `ws` and a thread takes.
 */
export async function socketThread(): Promise<void> {
  const folder = await Deno.makeTempDir();
  const started: ChildServer[] = [];
  try {
    await writeThinModel(`${folder}/thin`);
    console.log(
      `\nsocket thread: ms of its time a stream-second; messages of 20 ms, binary context frames`,
    );
    console.log(
      `of 256 numbers, a model too small to matter, ${THREAD_SECONDS} s after as many to warm up;`,
    );
    console.log(
      "least: ws and a thread that answers, without anything else (bench/least_server.ts)",
    );
    const ours = (store: string) =>
      startServer(
        ["--model", `${folder}/thin`, "--workers", "1", "--max-streams", "1000", "--store", store],
      );
    const servers = {
      least: startLeast,
      memory: () => ours("memory:"),
      sqlite: () => ours(`sqlite:${folder}/sessions.db`),
    };
    for (const start of Object.values(servers)) started.push(await start());
    console.log(
      `streams  ${Object.keys(servers).map((name) => pad(name, 6)).join("  ")}  messages/s  ` +
        "(out, of each stream)",
    );
    for (const streams of THREAD_STREAMS) {
      const looks: ThreadLook[] = [];
      for (const { url, pid } of started) looks.push(await threadLook({ url, pid, streams }));
      const cells = looks.map(({ ms, ended }) =>
        pad((ms?.toFixed(2) ?? "–") + (ended > 0 ? "!" : ""), 6)
      );
      const messages = looks.map(({ messages }) => messages.toFixed(1));
      console.log(`${pad(streams, 7)}  ${cells.join("  ")}  ${messages.join(" ")}`);
      if (looks.some(({ ended }) => ended > 0)) console.log("! streams ended");
    }
  } finally {
    for (const child of started) await child.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

/** A look at a server's socket thread. */
interface ThreadLook {
  /** Of its time a stream-second. */
  readonly ms?: number;
  /** Messages out, of each stream, a second. */
  readonly messages: number;
  readonly ended: number;
}

async function threadLook(
  { url, pid, streams }: { url: string; pid: number; streams: number },
): Promise<ThreadLook> {
  const target = { url: streamUrl(url) };
  await pacedLoad(target, { streams, seconds: THREAD_SECONDS });
  // after a second that is not timed, but counts here
  const { serverCores, messages, ended } = await pacedLoad(target, {
    streams,
    seconds: THREAD_SECONDS,
    cpuSeconds: () => socketThreadSeconds(pid),
  });
  return {
    ...(serverCores !== undefined && { ms: serverCores / streams * 1000 }),
    messages: messages / streams / (THREAD_SECONDS + 1),
    ended,
  };
}

function startLeast(): Promise<ChildServer> {
  const program = new URL("./least_server.ts", import.meta.url).pathname;
  const rights = ["--allow-net", "--allow-read", "--allow-env=WS_*"];
  return startProgram([Deno.execPath(), "run", "--quiet", "--frozen", ...rights, program]);
}

/** From spawn to listening. */
export async function start(model: string): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const child = await startServer(["--model", model]);
    times.push(child.startMs);
    await child.stop();
  }
  console.log(
    `\nstart: ${times.map((ms) => ms.toFixed(0)).join(", ")} ms from spawn to listening, median ${
      median(times).toFixed(0)
    } ms`,
  );
}

/** Memory while streams come and go. */
export async function churn(model: string): Promise<void> {
  const child = await startServer(["--model", model, "--resume-window", "1"], { collects: "soon" });
  const audio = new Uint8Array(3200); // 100 ms
  const marks: { cycles: number; mb: number }[] = [];
  for (let cycles = 0; cycles <= CHURN_CYCLES; cycles += CHURN_AT_ONCE) {
    if (cycles % (CHURN_CYCLES / 10) === 0) marks.push({ cycles, mb: await residentMB(child.pid) });
    const sockets = await Promise.all(
      Array.from({ length: CHURN_AT_ONCE }, () => ready(child.url, "")),
    );
    await Promise.all(sockets.map(async (socket) => {
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.send(audio, () => socket.terminate());
      await closed;
    }));
  }
  await child.stop();
  const settled = marks.slice(marks.length / 2); // the first half fills caches and heaps
  const slope = slopeOf(settled.map(({ cycles, mb }) => [cycles, mb]));
  console.log(
    `\nchurn: ${CHURN_CYCLES} streams connected, given audio and dropped; resident MB: ${
      marks.map(({ mb }) => mb.toFixed(0)).join(" ")
    }`,
  );
  console.log(`slope over the second half: ${(slope * 1000).toFixed(2)} MB per 1,000 streams`);
}

/** A live stream beside misbehaving clients. */
export async function neighbours(model: string, seconds: number): Promise<void> {
  const child = await startServer(["--model", model]);
  console.log(
    `\nneighbours: a live stream of ${seconds} s, alone and beside a flooding sender and a ` +
      "client that never reads;",
  );
  console.log("latency from sending the audio that completes a frame to its arrival, in ms");
  console.log("         alone  beside  ratio");
  const rounds: { alone: LiveStream; beside: LiveStream }[] = [];
  for (let i = 0; i < 3; i++) {
    const alone = await liveStream(child.url, seconds);
    const beside = await besideBadClients(child.url, () => liveStream(child.url, seconds));
    rounds.push({ alone, beside });
  }
  await child.stop();
  const [ofAlone, ofBeside] = (["alone", "beside"] as const).map((which) =>
    percentiles(rounds.flatMap((round) => round[which].latenciesMs), [0.5, 0.99])
  );
  for (const [i, name] of ["median", "p99"].entries()) {
    const [alone, beside] = [ofAlone[i], ofBeside[i]];
    console.log(
      `${name.padEnd(6)}  ${pad(alone.toFixed(1), 6)}  ${pad(beside.toFixed(1), 6)}  ${
        pad((beside / alone).toFixed(2), 5)
      }`,
    );
  }
  const truth = rounds[0].alone.context;
  const others = rounds.flatMap(({ alone, beside }) => [alone.context, beside.context]);
  const largest = Math.max(...others.map((context) => maxDifference(context, truth)));
  console.log(`${truth.length} numbers per stream, largest difference ${largest.toExponential(1)}`);
}
