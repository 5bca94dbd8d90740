/** A thread that sends paced streams: connects, waits for the start, reports. */
import { PacedStream, type Target } from "./paced_stream.ts";
import { MESSAGE_MS } from "./real_time.ts";

/** Frames may come this long after the last message; later ones are owed. */
const GRACE_MS = 1000;

/** To the thread. */
export type ToPaced =
  /** `phasesMs`: one per stream, ascending */
  | { type: "connect"; target: Target; phasesMs: readonly number[] }
  /** `startMs`: since the epoch */
  | { type: "start"; startMs: number; messages: number };

/** What it measured. */
export interface PacedReport {
  readonly latenciesMs: readonly number[];
  /** How much later than due each message was sent. */
  readonly lagsMs: readonly number[];
  readonly owed: number;
  /** Messages with frames. */
  readonly messages: number;
  /** Why streams ended too early. */
  readonly ended: readonly string[];
}

/** From the thread. */
export type FromPaced = { type: "connected" } | ({ type: "report" } & PacedReport);

declare const self: {
  onmessage: ((event: MessageEvent<ToPaced>) => void) | null;
  postMessage(message: FromPaced): void;
};

let streams: readonly { readonly phaseMs: number; readonly stream: PacedStream }[] = [];

self.onmessage = async ({ data: message }) => {
  if (message.type === "connect") {
    streams = await Promise.all(
      message.phasesMs.map(async (phaseMs) => ({
        phaseMs,
        stream: await PacedStream.open(message.target),
      })),
    );
    self.postMessage({ type: "connected" });
    return;
  }
  const lagsMs = await pace(message.startMs - performance.timeOrigin, message.messages);
  await delay(GRACE_MS);
  const all = streams.map(({ stream }) => stream);
  const report = {
    latenciesMs: all.flatMap(({ latenciesMs }) => latenciesMs),
    lagsMs,
    owed: all.reduce((sum, { owed }) => sum + owed, 0),
    messages: all.reduce((sum, { messages }) => sum + messages, 0),
    ended: all.flatMap(({ ended }) => ended ?? []),
  };
  await Promise.all(all.map((stream) => stream.close()));
  self.postMessage({ type: "report", ...report });
};

/** Sends every stream's messages when they are due, however late earlier ones were. */
async function pace(startMs: number, messages: number): Promise<number[]> {
  const lagsMs: number[] = [];
  const total = messages * streams.length;
  const dueMs = (n: number) =>
    startMs + Math.floor(n / streams.length) * MESSAGE_MS + streams[n % streams.length].phaseMs;
  for (let n = 0; n < total;) {
    for (let nowMs; n < total && dueMs(n) <= (nowMs = performance.now()); n++) {
      lagsMs.push(nowMs - dueMs(n));
      streams[n % streams.length].stream.send();
    }
    // also when late: frames arrive only between two turns
    if (n < total) await delay(dueMs(n) - performance.now());
  }
  return lagsMs;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
