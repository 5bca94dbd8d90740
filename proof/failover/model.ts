/**
 * A fleet that loses servers, in simulated time: the clients back off as the one in `client/` does,
 * and the servers that are left take a resume at a time and refuse what they have no room for.
 */
import { seeded } from "../../model/seeded.ts";

/** A fleet and its loss. */
export interface Fleet {
  readonly servers: number;
  /** Streams on each of them before. */
  readonly streams: number;
  /** Most streams that each can have. */
  readonly capacity: number;
  /** Servers that die at time 0. */
  readonly dead: number;
  /** Thread time of a resume: reading, opening and restoring it. */
  readonly resumeMs: number;
  /** Seconds of audio that are computed again for a resume, on average. */
  readonly replayS: number;
  readonly seed: number;
}

/** What came of it. */
export interface Failover {
  /** Seconds that each stream was away which was resumed, ascending. */
  readonly awayS: readonly number[];
  /** Streams whose clients gave up. */
  readonly lost: number;
  /** Refusals for want of room. */
  readonly refusals: number;
}

/** The client's (client/resume.ts). */
const BACKOFF_MS = { first: 250, longest: 8000 };
const GIVE_UP_MS = 60_000;
/** What a refusal for want of room tells a client to wait at least. */
const RETRY_AFTER_MS = 1000;
/** Thread time of a refusal. */
const REFUSAL_MS = 0.5;

interface Attempt {
  readonly atMs: number;
  readonly number: number;
}

/** Lets the servers die. Each client tries one of the others at random, as behind a proxy. */
export function failover(fleet: Fleet): Failover {
  const { servers, streams, capacity, dead, resumeMs, replayS, seed } = fleet;
  const random = seeded(seed);
  const left = Array.from({ length: servers - dead }, () => ({ streams, busyUntilMs: 0 }));
  const waitMs = (number: number) =>
    Math.min(BACKOFF_MS.longest, BACKOFF_MS.first * 2 ** (number - 1)) * (0.5 + random() / 2);
  // ordered by time: attempts are made in buckets of a millisecond
  const due: Attempt[][] = [];
  const plan = (attempt: Attempt) => (due[Math.floor(attempt.atMs)] ??= []).push(attempt);
  for (let i = 0; i < dead * streams; i++) plan({ atMs: waitMs(1), number: 1 });
  const awayS: number[] = [];
  let [lost, refusals] = [0, 0];
  for (let ms = 0; ms < due.length; ms++) {
    for (const { atMs, number } of due[ms] ?? []) {
      const server = left[Math.floor(random() * left.length)];
      const beginMs = Math.max(atMs, server.busyUntilMs);
      if (server.streams < capacity) {
        server.streams++;
        server.busyUntilMs = beginMs + resumeMs;
        // what the model workers have beside the live streams computes the audio again
        const spare = Math.max(0.05, 1 - server.streams / capacity) * capacity;
        awayS.push((server.busyUntilMs + replayS / spare * 1000) / 1000);
        continue;
      }
      refusals++;
      server.busyUntilMs = beginMs + REFUSAL_MS;
      const nextMs = server.busyUntilMs + Math.max(waitMs(number + 1), RETRY_AFTER_MS);
      if (nextMs > GIVE_UP_MS) lost++;
      else plan({ atMs: nextMs, number: number + 1 });
    }
    delete due[ms];
  }
  return { awayS: awayS.toSorted((a, b) => a - b), lost, refusals };
}

/** Shares of the streams that were back, over time: points for a chart. */
export function comeback(
  { awayS, lost }: Failover,
  { untilS, points = 120 }: { untilS: number; points?: number },
): [seconds: number, percent: number][] {
  const all = Math.max(1, awayS.length + lost);
  return Array.from({ length: points + 1 }, (_, i) => {
    const seconds = i / points * untilS;
    const back = awayS.findIndex((away) => away > seconds);
    return [seconds, (back < 0 ? awayS.length : back) / all * 100];
  });
}
