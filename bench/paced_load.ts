/** Real-time load on a server, from threads of its own, and what its streams felt. */
import { AskedThread } from "./asked_thread.ts";
import type { Target } from "./paced_stream.ts";
import { MESSAGE_MS, WARM_UP_MESSAGES } from "./real_time.ts";
import type { FromPaced, PacedReport, ToPaced } from "./paced_worker.ts";
import { percentiles } from "./statistics.ts";

/** Most streams of a thread: it then uses less than a third of a core. */
const STREAMS_PER_THREAD = 64;
/** Time between the last connection and the first message. */
const LEAD_MS = 100;

/** What some number of streams felt. */
export interface Level {
  readonly streams: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Frames that had not come a second after the last message. */
  readonly owedFrames: number;
  /** Messages with frames that came, of all streams. */
  readonly messages: number;
  /** Streams that were refused or ended by the server, and the first one's reason. */
  readonly ended: number;
  readonly reason?: string;
  /** Mean number of cores that the server used; undefined if that is not known. */
  readonly serverCores?: number;
  /** How late this program sent: the 99th percentile. */
  readonly lagP99Ms: number;
}

/**
 * Loads a server with streams at the pace of speech, their phases spread evenly.
 *
 * @param options `seconds`: of audio per stream, after one that is not counted; `cpuSeconds`: reads
 *   the server's time on processors
 */
export async function pacedLoad(target: Target, { streams, seconds, cpuSeconds }: {
  streams: number;
  seconds: number;
  cpuSeconds?: () => Promise<number | undefined>;
}): Promise<Level> {
  const count = Math.ceil(streams / STREAMS_PER_THREAD);
  const threads = Array.from({ length: count }, () => pacedThread());
  try {
    await Promise.all(threads.map((thread, t) => {
      const phasesMs: number[] = [];
      for (let i = t; i < streams; i += count) phasesMs.push(i / streams * MESSAGE_MS);
      return thread.ask({ type: "connect", target, phasesMs });
    }));
    const before = { cpu: await cpuSeconds?.(), ms: performance.now() };
    const startMs = performance.timeOrigin + performance.now() + LEAD_MS;
    const messages = WARM_UP_MESSAGES + seconds * 1000 / MESSAGE_MS;
    const reports = Promise.all(
      threads.map((thread) => thread.ask({ type: "start", startMs, messages })),
    );
    await Promise.race([
      reports,
      new Promise((resolve) => setTimeout(resolve, LEAD_MS + messages * MESSAGE_MS)),
    ]);
    const after = { cpu: await cpuSeconds?.(), ms: performance.now() };
    return {
      ...summary(streams, (await reports).filter((answer) => answer.type === "report")),
      ...(before.cpu !== undefined && after.cpu !== undefined
        ? { serverCores: (after.cpu - before.cpu) / ((after.ms - before.ms) / 1000) }
        : {}),
    };
  } finally {
    for (const thread of threads) thread.end();
  }
}

/** Joins the threads' reports. */
export function summary(streams: number, reports: readonly PacedReport[]): Level {
  const latenciesMs = reports.flatMap((report) => report.latenciesMs);
  const [p50Ms, p90Ms, p95Ms, p99Ms, maxMs] = percentiles(latenciesMs, [0.5, 0.9, 0.95, 0.99, 1]);
  const [lagP99Ms] = percentiles(reports.flatMap((report) => report.lagsMs), [0.99]);
  const ended = reports.flatMap((report) => report.ended);
  return {
    streams,
    p50Ms,
    p90Ms,
    p95Ms,
    p99Ms,
    maxMs,
    owedFrames: reports.reduce((sum, { owed }) => sum + owed, 0),
    messages: reports.reduce((sum, { messages }) => sum + messages, 0),
    ended: ended.length,
    ...(ended.length > 0 ? { reason: ended[0] } : {}),
    lagP99Ms,
  };
}

function pacedThread(): AskedThread<ToPaced, FromPaced> {
  const worker = new Worker(new URL("./paced_worker.ts", import.meta.url), { type: "module" });
  return new AskedThread(worker, "the load generator");
}
