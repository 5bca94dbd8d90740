/**
 * Chooses which streams take the next step together, and how many hops of each. Pure: no clock, no
 * engine.
 */

import type { Priority } from "../messages.ts";

/** What the choice needs to know about a stream. */
export interface Candidate {
  /** Rows of a step that each of its hops takes. */
  readonly channels: number;
  readonly hopsReady: number;
  /**
   * Most hops to take at once: 1 while it is young, and fewer than others if it wants much of each.
   */
  readonly mostHops: number;
  readonly urgency: Urgency;
  /** Order of waiting: the lower, the longer ago it became ready or was served. */
  readonly waitingSince: number;
}

/**
 * Live streams are punctual if their audio arrives no faster than it is spoken ({@linkcode Pace}).
 * They go first.
 */
export type Urgency = "punctual" | Priority;

/** Most hops of one live stream in a step. */
export const LIVE_HOPS = 16;
/**
 * Least hops of each recording where several share a step. They share it since the recurrence takes
 * one hop after the other, but that of all streams at once.
 */
export const SHARED_FILE_HOPS = 8;

/** What decides who waits. `deno task bench --only scheduler` tries it without each part. */
export interface Policy {
  /** Whether punctual streams go before live streams whose audio arrives faster. */
  readonly punctualFirst: boolean;
  /**
   * Most rows of other streams in a step while a punctual stream is speaking: the longest that it
   * waits.
   */
  readonly rowsBesidePunctual: number;
  /**
   * Most numbers that a stream which is not punctual gets from such a step, since the thread of all
   * sockets must write them, perhaps as text.
   */
  readonly numbersBesidePunctual: number;
  /** Turns of the event loop between two steps: see {@linkcode listen}. */
  readonly listeningTurns: number;
}

/**
 * The server's policy. The figures are the 99th percentile of a speaker's latency without and with
 * each part, added to those before it, on `cpc-base` (docs/scheduling.md).
 */
export const POLICY: Policy = {
  listeningTurns: 32, // beside a flood 44 → 17 ms
  punctualFirst: true, // 17 → 11 ms
  rowsBesidePunctual: 8, // 11 → 8 ms; beside a flood and 4 uploads 95 → 13 ms
  numbersBesidePunctual: 8192, // beside a flood of predictions as text 54 → 11 ms
};

/** A step to take: `hops` of each of `streams`. */
export interface Batch<C> {
  readonly hops: number;
  readonly streams: readonly C[];
}

/**
 * Chooses the next step.
 *
 * The most urgent stream decides the number of hops (a power of two that it has ready). All others
 * that have as many ready join it in order of urgency, up to `maxRows` rows; one with more channels
 * than there is room for lets others go before it. A stream that was just served goes to the end of
 * the queue, so a backlog never starves another stream.
 *
 * @param options `maxRows`: most hops · channels of all streams, at least the channels of one;
 *   `speaking`: whether a punctual stream is speaking, ready or not
 */
export function nextBatch<C extends Candidate>(
  candidates: Iterable<C>,
  { maxRows, speaking, policy = POLICY }: { maxRows: number; speaking: boolean; policy?: Policy },
): Batch<C> | undefined {
  const ready = [...candidates].filter((candidate) => candidate.hopsReady > 0).sort(byUrgency);
  const leader = ready[0];
  if (!leader) return undefined;
  const rowsOfOthers = speaking ? Math.min(policy.rowsBesidePunctual, maxRows) : maxRows;
  const limit = isPunctual(leader) ? maxRows : Math.max(rowsOfOthers, leader.channels);
  const fitting = Math.floor(limit / leader.channels);
  const most = leader.urgency === "file"
    ? fileHops(ready.length, fitting)
    : Math.min(LIVE_HOPS, fitting);
  const hops = powerOfTwoBelow(Math.min(leader.hopsReady, leader.mostHops, most));
  const fits = ready.filter(({ hopsReady, mostHops }) => Math.min(hopsReady, mostHops) >= hops);
  const rows = (streams: readonly C[]) =>
    streams.reduce((sum, one) => sum + one.channels, 0) * hops;
  const punctual = fits.filter(isPunctual).filter(fitsInto(maxRows / hops));
  const room = Math.min(isPunctual(leader) ? rowsOfOthers : limit, maxRows - rows(punctual));
  const others = fits.filter((one) => !isPunctual(one)).filter(fitsInto(room / hops));
  return { hops, streams: [...punctual, ...others] };
}

/** Most hops of each of so many recordings, so that they fill a step with `room` for one's hops. */
function fileHops(count: number, room: number): number {
  return Math.min(room, Math.max(SHARED_FILE_HOPS, 2 ** Math.ceil(Math.log2(room / count))));
}

/** A filter: takes one stream after the other while `room` holds its channels too. */
function fitsInto(room: number): (candidate: Candidate) => boolean {
  return ({ channels }) => {
    if (channels > room) return false;
    room -= channels;
    return true;
  };
}

/**
 * Punctual streams first, then other live ones, then files; among equals the one that has waited
 * longest.
 */
export function byUrgency(a: Candidate, b: Candidate): number {
  return RANK[a.urgency] - RANK[b.urgency] || a.waitingSince - b.waitingSince;
}

const RANK: Record<Urgency, number> = { punctual: 0, live: 1, file: 2 };

function isPunctual({ urgency }: Pick<Candidate, "urgency">): boolean {
  return urgency === "punctual";
}

/** The largest power of two that is at most `n` (n ≥ 1). */
function powerOfTwoBelow(n: number): number {
  return 2 ** Math.floor(Math.log2(n));
}
