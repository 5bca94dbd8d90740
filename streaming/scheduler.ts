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

/** Most hops of one live stream in a step: it bounds what a burst of one stream costs the others. */
export const LIVE_HOPS = 16;
/** Most hops of one file in a step while live streams are open: it bounds how long they wait for a file's step. */
export const FILE_HOPS_BESIDE_LIVE = 16;

/** A step to take: `hops` of each of `streams`. */
export interface Batch<C> {
  readonly hops: number;
  readonly streams: readonly C[];
}

/**
 * Chooses the next step.
 *
 * The longest waiting of the most urgent kind decides the number of hops (a power of two that it has ready); all others that
 * have as many ready join it in order of waiting, live before files, up to `maxRows` rows. A stream that was just served waits
 * from then on, so that a backlog of one never starves another.
 *
 * @param options `maxRows`: most hops · streams; `liveOpen`: whether any live stream is open on this engine
 */
export function nextBatch<C extends Candidate>(
  candidates: Iterable<C>,
  { maxRows, liveOpen }: { maxRows: number; liveOpen: boolean },
): Batch<C> | undefined {
  const ready = [...candidates].filter((candidate) => candidate.hopsReady > 0).sort(byUrgency);
  const leader = ready[0];
  if (!leader) return undefined;
  const limit = leader.priority === "live" ? LIVE_HOPS : liveOpen ? FILE_HOPS_BESIDE_LIVE : maxRows;
  const hops = leader.young ? 1 : powerOfTwoBelow(Math.min(leader.hopsReady, limit, maxRows));
  const fits = (candidate: C) => candidate.hopsReady >= hops && (hops === 1 || !candidate.young);
  return { hops, streams: ready.filter(fits).slice(0, Math.max(1, Math.floor(maxRows / hops))) };
}

function byUrgency(a: Candidate, b: Candidate): number {
  if (a.priority !== b.priority) return a.priority === "live" ? -1 : 1;
  return a.waitingSince - b.waitingSince;
}

/** The largest power of two that is at most `n` (n ≥ 1). */
function powerOfTwoBelow(n: number): number {
  return 2 ** Math.floor(Math.log2(n));
}
