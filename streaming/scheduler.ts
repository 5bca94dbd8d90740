/** Which streams take the next step together, and how many hops of each. Pure: no clock, no engine. */

/** What the choice needs to know of a stream. */
export interface Candidate {
  readonly hopsReady: number;
  /** It must be stepped hop by hop. */
  readonly young: boolean;
  readonly priority: Priority;
  /** Order of waiting: the lower, the longer since it became ready or was last served. */
  readonly waitingSince: number;
}

/** Live streams go before files. */
export type Priority = "live" | "file";

/** Most hops of one live stream in a step. */
export const LIVE_HOPS = 16;
/** A live stream with at most as many hops ready keeps up with its microphone: it is punctual. One with more sent faster than that. */
export const PUNCTUAL_HOPS = 8;
/**
 * Most rows of a step that are not punctual streams', while one of those is open: what they wait for at the most. Fewer cost more
 * time each (a fifth at 8 rows against 32 of the shipped model).
 */
export const ROWS_BESIDE_PUNCTUAL = 8;

/** A step to take: `hops` of each of `streams`. */
export interface Batch<C> {
  readonly hops: number;
  readonly streams: readonly C[];
}

/** Whether a stream keeps up with its microphone. */
export function isPunctual({ priority, hopsReady }: Pick<Candidate, "priority" | "hopsReady">): boolean {
  return priority === "live" && hopsReady <= PUNCTUAL_HOPS;
}

/**
 * Chooses the next step.
 *
 * The most urgent stream decides the number of hops (a power of two that it has ready); all others that have as many ready join it
 * in order of urgency, up to `maxRows` rows. A stream that was just served waits from then on, so that a backlog of one never
 * starves another.
 *
 * @param options `maxRows`: most hops · streams; `punctualOpen`: a punctual stream is open, ready or not
 */
export function nextBatch<C extends Candidate>(
  candidates: Iterable<C>,
  { maxRows, punctualOpen }: { maxRows: number; punctualOpen: boolean },
): Batch<C> | undefined {
  const ready = [...candidates].filter((candidate) => candidate.hopsReady > 0).sort(byUrgency);
  const leader = ready[0];
  if (!leader) return undefined;
  const rowsOfOthers = punctualOpen ? Math.min(ROWS_BESIDE_PUNCTUAL, maxRows) : maxRows;
  const limit = isPunctual(leader) ? maxRows : rowsOfOthers;
  const most = leader.priority === "live" ? Math.min(LIVE_HOPS, limit) : limit;
  const hops = leader.young ? 1 : powerOfTwoBelow(Math.min(leader.hopsReady, most));
  const fits = ready.filter(({ hopsReady, young }) => hopsReady >= hops && (hops === 1 || !young));
  const others = fits.filter((candidate) => !isPunctual(candidate)).slice(0, Math.floor(rowsOfOthers / hops));
  return { hops, streams: [...fits.filter(isPunctual), ...others].slice(0, Math.floor(maxRows / hops)) };
}

/** Punctual streams first, then other live ones, then files; among equals the one that has waited longest. */
export function byUrgency(a: Candidate, b: Candidate): number {
  return rank(a) - rank(b) || a.waitingSince - b.waitingSince;
}

function rank(candidate: Candidate): number {
  return isPunctual(candidate) ? 0 : candidate.priority === "live" ? 1 : 2;
}

/** The largest power of two that is at most `n` (n ≥ 1). */
function powerOfTwoBelow(n: number): number {
  return 2 ** Math.floor(Math.log2(n));
}
