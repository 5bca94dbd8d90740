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

/** What decides who waits; `deno task bench --only scheduler` tries it without each part. */
export interface Policy {
  /** Live streams whose audio comes as it is spoken go before those whose audio comes faster. */
  readonly punctualFirst: boolean;
  /**
   * Most rows of a step that are not punctual streams', while one of those is speaking: what they
   * wait for at the most.
   */
  readonly rowsBesidePunctual: number;
  /**
   * Most numbers that a stream which is not punctual gets from such a step: the thread that reads
   * all sockets writes them, as text if that was asked for.
   */
  readonly numbersBesidePunctual: number;
  /** Turns of the event loop between two steps: see {@linkcode listen}. */
  readonly listeningTurns: number;
}

/**
 * What the server does. The figures are the 99th percentile of a speaker's latency without and with
 * it, each added to the one before, on `cpc-base` (docs/scheduling.md).
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
 * The most urgent stream decides the number of hops (a power of two that it has ready); all others
 * that have as many ready join it in order of urgency, up to `maxRows` rows. A stream that was just
 * served waits from then on, so that a backlog of one never starves another.
 *
 * @param options `maxRows`: most hops · streams; `speaking`: a punctual stream is, ready or not
 */
export function nextBatch<C extends Candidate>(
  candidates: Iterable<C>,
  { maxRows, speaking, policy = POLICY }: { maxRows: number; speaking: boolean; policy?: Policy },
): Batch<C> | undefined {
  const ready = [...candidates].filter((candidate) => candidate.hopsReady > 0).sort(byUrgency);
  const leader = ready[0];
  if (!leader) return undefined;
  const rowsOfOthers = speaking ? Math.min(policy.rowsBesidePunctual, maxRows) : maxRows;
  const limit = isPunctual(leader) ? maxRows : rowsOfOthers;
  const most = leader.urgency === "file" ? limit : Math.min(LIVE_HOPS, limit);
  const hops = powerOfTwoBelow(Math.min(leader.hopsReady, leader.mostHops, most));
  const fits = ready.filter(({ hopsReady, mostHops }) => Math.min(hopsReady, mostHops) >= hops);
  const others = fits.filter((candidate) => !isPunctual(candidate));
  return {
    hops,
    streams: [
      ...fits.filter(isPunctual),
      ...others.slice(0, Math.floor(rowsOfOthers / hops)),
    ].slice(0, Math.floor(maxRows / hops)),
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
