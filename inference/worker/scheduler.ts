/**
 * Which streams take the next step together, and how many hops of each. Pure: no clock, no engine.
 */

import type { Priority } from "../messages.ts";

/** What the choice needs to know of a stream. */
export interface Candidate {
  readonly hopsReady: number;
  /**
   * Most hops that may be taken at once: 1 while it is young, fewer than others when much is asked
   * of each.
   */
  readonly mostHops: number;
  readonly urgency: Urgency;
  /** Order of waiting: the lower, the longer since it became ready or was last served. */
  readonly waitingSince: number;
}

/**
 * Among live streams those go first whose audio comes no faster than it is spoken ({@linkcode
 * Pace}): they are punctual.
 */
export type Urgency = "punctual" | Priority;

/** Most hops of one live stream in a step. */
export const LIVE_HOPS = 16;
/**
 * Most rows of a step that are not punctual streams', while one of those is speaking: what they
 * wait for at the most. Fewer cost more time each (a fifth at 8 rows against 32 of the shipped
 * model).
 */
export const ROWS_BESIDE_PUNCTUAL = 8;

/**
 * Most numbers that a stream which is not punctual gets from such a step: they are written by the
 * thread that reads all sockets.
 */
export const NUMBERS_BESIDE_PUNCTUAL = 8192;

/** What decides who waits, each part for itself: for `deno task bench --only scheduler`. */
export interface Policy {
  readonly punctualFirst: boolean;
  readonly rowsBeside: number;
  readonly numbersBeside: number;
  readonly breaks: "no" | "beside" | "always" | "listen";
  readonly hold: boolean;
  readonly joinFreely: boolean;
}
/** What the server does. */
export const POLICY: Policy = {
  punctualFirst: true,
  rowsBeside: ROWS_BESIDE_PUNCTUAL,
  numbersBeside: NUMBERS_BESIDE_PUNCTUAL,
  breaks: "beside",
  hold: true,
  joinFreely: false,
};

/** A step to take: `hops` of each of `streams`. */
export interface Batch<C> {
  readonly hops: number;
  readonly streams: readonly C[];
}

/**
 * Chooses the next step.
 *
 * The most urgent stream decides the number of hops (a power of two that it has ready); all others
 * that have as many ready join it in order of urgency, up to `maxRows` rows. A stream that was just
 * served waits from then on, so that a backlog of one never starves another.
 *
 * @param options `maxRows`: most hops · streams; `speaking`: a punctual stream is, ready or not;
 *   `othersDue`: streams that are not punctual have waited long enough to join those that are
 */
export function nextBatch<C extends Candidate>(
  candidates: Iterable<C>,
  { maxRows, speaking, othersDue, rowsBeside = ROWS_BESIDE_PUNCTUAL }: {
    maxRows: number;
    speaking: boolean;
    othersDue: boolean;
    rowsBeside?: number;
  },
): Batch<C> | undefined {
  const ready = [...candidates].filter((candidate) => candidate.hopsReady > 0).sort(byUrgency);
  const leader = ready[0];
  if (!leader) return undefined;
  const leads = isPunctual(leader);
  const rowsOfOthers = !speaking
    ? maxRows
    : leads && !othersDue
    ? 0
    : Math.min(rowsBeside, maxRows);
  const limit = leads ? maxRows : rowsOfOthers;
  const most = leader.urgency === "file" ? limit : Math.min(LIVE_HOPS, limit);
  const hops = powerOfTwoBelow(Math.min(leader.hopsReady, leader.mostHops, most));
  const fits = ready.filter(({ hopsReady, mostHops }) => Math.min(hopsReady, mostHops) >= hops);
  const others = fits.filter((candidate) => !isPunctual(candidate)).slice(
    0,
    Math.floor(rowsOfOthers / hops),
  );
  return {
    hops,
    streams: [...fits.filter(isPunctual), ...others].slice(0, Math.floor(maxRows / hops)),
  };
}

/**
 * When streams that are not punctual were last served, in ms, and how long such a step takes beside
 * punctual ones, at the most.
 */
export interface LastOthers {
  readonly endedMs: number;
  readonly tookMs: number;
}

/**
 * Whether streams that are not punctual have waited so long that punctual ones may be held up for
 * them.
 */
export function othersDue({ endedMs, tookMs }: LastOthers, nowMs: number): boolean {
  return nowMs - endedMs > 10 + 2 * tookMs;
}

/**
 * Milliseconds that the engine is to stay idle, though others are ready, because audio of a
 * punctual stream is expected before a step of theirs would end.
 *
 * @param options `expected`: when audio of each punctual stream with a rhythm comes, at the soonest
 *   and the latest
 */
export function holdMs(
  { expected, nowMs, last }: {
    expected: readonly { fromMs: number; toMs: number }[];
    nowMs: number;
    last: LastOthers;
  },
): number {
  if (othersDue(last, nowMs)) return 0;
  const inTheWay = expected.filter(({ fromMs }) => fromMs < nowMs + last.tookMs);
  return inTheWay.length === 0
    ? 0
    : Math.max(0, Math.min(...inTheWay.map(({ toMs }) => toMs)) - nowMs);
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
