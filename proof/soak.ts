/** `deno task soak`: hours of streams that come and go, at a share of what the machine can do. */
import { residentMB, startServer, streamMany } from "../bench/load.ts";
import { percentiles, slopeOf } from "../bench/statistics.ts";
import { runCommand } from "../commands/cli.ts";
import { custom, whole } from "../config/kinds.ts";
import { twinned } from "../config/setting.ts";
import { MODEL_SETTING } from "../config/settings.ts";
import { below, MAX_SEED, seeded } from "../model/seeded.ts";
import { loadWeights } from "../model/weights.ts";
import { type Clip, clipOf, TOLERANCE } from "./clips.ts";
import { sayClip, StreamLost } from "./live_client.ts";

const CLIP_SECONDS = [3, 5, 8, 13];
/** Share of the time at its start and at its end whose latencies are compared. */
const ENDS = 1 / 5;
const ONE_IN = 8;
const SAMPLE_MS = 10_000;
/** Share of the time before memory is expected to stay. */
const WARM_UP = 1 / 3;
/**
 * What must hold over so many minutes or more: less is too noisy. Latency is only told, since other
 * work on the machine moves it.
 */
const MOST_MB_PER_HOUR = 1;
const SLOPE_MINUTES = 120;

const SOAK = {
  name: "soak",
  about: "Keeps a server under load for hours: memory, latency, and every frame against offline.",
  usage: "[flags]",
  settings: twinned("CPC_SOAK_", {
    model: MODEL_SETTING,
    minutes: whole({ min: 1, max: 99_999, fallback: 120, help: "how long" }),
    load: custom({ value: "SHARE", fallback: "0.8", help: "share of the measured capacity" }, {
      takes: "a number above 0, up to 2",
      accept: (text) => Number(text) > 0 && Number(text) <= 2 ? Number(text) : undefined,
    }),
    streams: whole({ min: 1, max: 10_000, words: "by load", help: "streams at once, instead" }),
    seed: whole({ min: 0, max: MAX_SEED, fallback: 1, help: "who cuts its connection, and when" }),
  }),
  notes: [
    "A stream that finishes unequal to offline, or that is lost, makes the exit status 1; so does " +
    `memory that grows by more than ${MOST_MB_PER_HOUR} MB an hour over ${SLOPE_MINUTES} minutes.`,
  ],
};

/** What happened so far. */
interface Tally {
  finished: number;
  resumed: number;
  dropped: number;
  refused: number;
  readonly faults: string[];
  largestDifference: number;
  /** Of one in {@linkcode ONE_IN} frames, in the first and in the last fifth of the time. */
  readonly latenciesMs: { readonly first: number[]; readonly last: number[] };
  readonly memory: { atMs: number; mb: number }[];
}

const status = await runCommand(SOAK, async ({ model, minutes, load, streams: asked, seed }) => {
  const weights = await loadWeights(model);
  const server = await startServer(["--model", model], { collects: "atOnce" });
  const streams = asked ?? Math.max(1, Math.floor(load * await capacity(server.url)));
  console.log(`${streams} streams at once for ${minutes} min; ${model}`);
  const clips = CLIP_SECONDS.map((seconds, i) => clipOf(weights, { seconds, seed: i + 1 }));
  const tally: Tally = {
    finished: 0,
    resumed: 0,
    dropped: 0,
    refused: 0,
    faults: [],
    largestDifference: 0,
    latenciesMs: { first: [], last: [] },
    memory: [],
  };
  const startedMs = performance.now();
  const untilMs = startedMs + minutes * 60_000;
  const sampling = setInterval(async () => {
    tally.memory.push({ atMs: performance.now(), mb: await residentMB(server.pid) });
  }, SAMPLE_MS);
  const random = seeded(seed);
  const clients = Array.from({ length: streams }, () => {
    return keepSpeaking(clips, { url: server.url, random, startedMs, untilMs, tally });
  });
  await Promise.all(clients);
  clearInterval(sampling);
  const { code } = await server.stop();
  if (code !== 0) tally.faults.push(`the server ended with ${code}`);
  const mbPerHour = report(tally, { startedMs, untilMs });
  const grows = minutes >= SLOPE_MINUTES && mbPerHour > MOST_MB_PER_HOUR;
  return tally.faults.length > 0 || grows ? 1 : 0;
}, { args: Deno.args });
Deno.exit(status);

/** Stream-seconds a second. */
async function capacity(url: string): Promise<number> {
  const [streams, seconds] = [16, 10];
  await streamMany(url, { streams, seconds: 2, query: "format=binary" });
  return streams * seconds / await streamMany(url, { streams, seconds, query: "format=binary" });
}

/** One place: a stream after the other, some cut and resumed, some cut and left. */
async function keepSpeaking(
  clips: readonly Clip[],
  { url, random, startedMs, untilMs, tally }: {
    url: string;
    random: () => number;
    startedMs: number;
    untilMs: number;
    tally: Tally;
  },
): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, random() * 5000));
  while (performance.now() < untilMs) {
    const clip = clips[below(clips.length, random)];
    const fate = random();
    try {
      if (fate < 0.1) {
        tally.dropped++;
        await leave(url, random() * 2000);
        continue;
      }
      const cutsAtS = fate < 0.3 ? [random() * clip.seconds] : [];
      const { difference, latenciesMs, resumed } = await sayClip(clip, {
        url: () => url,
        cutsAtS,
      });
      tally.finished++;
      tally.resumed += resumed;
      tally.largestDifference = Math.max(tally.largestDifference, difference);
      if (difference > TOLERANCE) {
        tally.faults.push(`a stream differs from offline by ${difference}`);
      }
      const past = 1 - (untilMs - performance.now()) / (untilMs - startedMs);
      const end = past < ENDS ? "first" : past > 1 - ENDS ? "last" : undefined;
      // those of a resumed stream hold the time without a connection
      if (resumed > 0 || !end) continue;
      tally.latenciesMs[end].push(...latenciesMs.filter((_, i) => i % ONE_IN === 0));
    } catch (error) {
      if (error instanceof StreamLost && error.code === 1013) {
        tally.refused++; // overloaded: as told, later
        await new Promise((resolve) => setTimeout(resolve, 1000));
      } else tally.faults.push(String(error));
    }
  }
}

/** Connects, says something, and goes without a word. */
async function leave(url: string, afterMs: number): Promise<void> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/v1/stream`);
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.onopen = () => socket.send(new Uint8Array(6400));
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  socket.close(4000);
  await closed;
}

function report(
  tally: Tally,
  { startedMs, untilMs }: { startedMs: number; untilMs: number },
): number {
  const { finished, resumed, dropped, refused, faults, memory } = tally;
  console.log(
    `${finished} streams finished (${resumed} resumed on the way), ${dropped} dropped, ` +
      `${refused} refused as overloaded, ${faults.length} faults`,
  );
  for (const fault of faults.slice(0, 10)) console.log(`FAULT ${fault}`);
  console.log(`largest difference from offline: ${tally.largestDifference.toExponential(1)}`);
  for (const [end, ms] of Object.entries(tally.latenciesMs)) {
    if (ms.length === 0) continue;
    const [p50, p99] = percentiles(ms, [0.5, 0.99]).map((x) => x.toFixed(1));
    console.log(`latency in the ${end} fifth: p50 ${p50} ms, p99 ${p99} ms, ${ms.length} frames`);
  }
  const settled = memory.filter(({ atMs }) => atMs > startedMs + WARM_UP * (untilMs - startedMs));
  const slope = slopeOf(settled.map(({ atMs, mb }) => [atMs / 3_600_000, mb]));
  const shown = memory.filter((_, i) => i % Math.ceil(memory.length / 12) === 0);
  console.log(`resident MB: ${shown.map(({ mb }) => mb.toFixed(0)).join(" ")}`);
  console.log(
    `memory after warm-up: ${slope.toFixed(2)} MB/h (bound: ${MOST_MB_PER_HOUR} MB/h over ` +
      `${SLOPE_MINUTES} min)`,
  );
  return slope;
}
