/** Admission: the bounds on streams, and what the workers can keep live. */
import { CpcError } from "../errors.ts";
import type { StreamLimits } from "./protocol/limits.ts";

/** How long a stream counts as active after its last audio, in milliseconds. */
const ACTIVE_MS = 2000;
/** When a refused client may retry, in milliseconds. */
const RETRY_MS = 1000;

/** A connection, as admission sees it. */
export interface Admitted {
  /** Streams of the model that it counts as: one, or one for each channel. */
  readonly streams: number;
  /** Name of the key; "" without one. */
  readonly owner: string;
  /** Id of the model; undefined before `ready`. */
  readonly model: string | undefined;
  /** When audio last came, in milliseconds. */
  readonly audioMs: number;
  /** Seconds of audio that wait although they came at the pace of speech. */
  readonly lateS: number;
  /** When its session began, in milliseconds; Infinity before `ready`. */
  readonly openedAtMs: number;
}

/** What admission goes by. */
export interface AdmissionOptions {
  readonly limits: Pick<StreamLimits, "maxStreams" | "maxStreamsOf">;
  readonly workers: number;
  /** Share of one worker's time that a live stream of a model takes. */
  readonly loadOf: (model: string) => number;
  readonly nowMs: number;
}

/** Whether audio came of late. */
export function isActive({ audioMs }: Pick<Admitted, "audioMs">, nowMs: number): boolean {
  return nowMs - audioMs < ACTIVE_MS;
}

/** Workers' time that an active connection takes. */
function timeOf({ model, streams }: Admitted, loadOf: AdmissionOptions["loadOf"]): number {
  return model === undefined ? 0 : streams * loadOf(model);
}

/**
 * Share of the server's capacity that connections use, 0 to 1 (above where it is overloaded): of
 * the streams that may be open, or of the workers' time, whichever is more.
 */
export function capacityUsed(
  connections: readonly Admitted[],
  { limits, workers, loadOf, nowMs }: AdmissionOptions,
): number {
  const busy = connections.filter((connection) => isActive(connection, nowMs))
    .reduce((sum, active) => sum + timeOf(active, loadOf), 0);
  return Math.max(countOf(connections) / limits.maxStreams, busy / workers);
}

/** Seconds of audio that may wait before a stream counts as late. */
const LATE_S = 1;
/** How long streams must have been late before one is ended, in milliseconds. */
const OVERLOADED_MS = 1000;

/**
 * Ends streams when there are more than the server keeps live: the newest of those that are late,
 * one after the other, rather than delaying all. Whatever is full shows as lateness: a model
 * worker, the thread of the sockets, the machine.
 */
export class Overload<S extends Pick<Admitted, "audioMs" | "lateS" | "openedAtMs">> {
  #sinceMs?: number;

  /**
   * Looks at the streams.
   *
   * @returns the stream to be ended; undefined for none. The last active one is never ended.
   */
  look(streams: readonly S[], nowMs: number): S | undefined {
    const active = streams.filter((stream) => isActive(stream, nowMs));
    const late = active.filter(({ lateS }) => lateS > LATE_S);
    if (active.length < 2 || late.length === 0) {
      this.#sinceMs = undefined;
      return undefined;
    }
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs < OVERLOADED_MS) return undefined;
    this.#sinceMs = nowMs; // what is left gets time to catch up
    return late.reduce((a, b) => b.openedAtMs > a.openedAtMs ? b : a);
  }
}

/** What a stream is told that is ended for the sake of the others. */
export function overloadError(): CpcError {
  return new CpcError(
    "overloaded",
    "more streams speak than this server keeps live, so it ends the newest; try again later",
    { retryAfterMs: ACTIVE_MS },
  );
}

/**
 * Refuses a connection for whose streams there is no room.
 *
 * @param others the other connections
 * @throws {CpcError} `too_many_streams` for this server or key; `overloaded` if one more active
 *   stream would make all late
 */
export function checkAdmission(
  { owner, model, streams }: { owner: string; model: string; streams: number },
  others: Iterable<Admitted>,
  { limits, workers, loadOf, nowMs }: AdmissionOptions,
): void {
  // in one pass: there may be thousands, and thousands may come at once
  let [all, own, active, busy, isLate] = [0, 0, 0, 0, false];
  for (const other of others) {
    all += other.streams;
    if (other.owner === owner) own += other.streams;
    if (!isActive(other, nowMs)) continue;
    active += other.streams;
    busy += timeOf(other, loadOf);
    isLate ||= other.lateS > LATE_S;
  }
  const { maxStreams } = limits;
  if (all + streams > maxStreams) throw serverFull(maxStreams, streams);
  const ownMost = limits.maxStreamsOf(owner);
  if (own + streams > ownMost) throw keyFull(ownMost, streams);
  if (isLate) {
    const why = "streams are late already, and one more would make them later; try again later";
    throw new CpcError("overloaded", why, { retryAfterMs: ACTIVE_MS });
  }
  const load = loadOf(model);
  if (active === 0 || busy + streams * load <= workers) return;
  const room = Math.max(1, Math.floor(workers / load));
  const more = streams === 1 ? "one" : streams;
  const why = `${active} streams are active, and this machine keeps about ${room} ` +
    `live; ${more} more would make all of them late`;
  throw new CpcError("overloaded", why, { retryAfterMs: ACTIVE_MS });
}

/** The refusal of so many streams beyond those of the server. */
export function serverFull(maxStreams: number, streams: number): CpcError {
  return tooMany(`this server takes ${maxStreams} streams`, maxStreams, streams);
}

/** The refusal of so many streams beyond those of their key. */
export function keyFull(maxStreams: number, streams: number): CpcError {
  return tooMany(`this key may have ${maxStreams} streams at once`, maxStreams, streams);
}

/** Streams of the model that connections count as. */
export function countOf(connections: Iterable<Pick<Admitted, "streams">>): number {
  let count = 0;
  for (const { streams } of connections) count += streams;
  return count;
}

function tooMany(bound: string, most: number, streams: number): CpcError {
  if (streams > most) {
    const why = streams === 1
      ? bound
      : `${bound}, and with split=1 each of the ${streams} channels counts as one`;
    return new CpcError("too_many_streams", why, { final: true });
  }
  const why = streams === 1
    ? "all are in use"
    : `fewer than ${streams} are free, and with split=1 each channel counts as one`;
  return new CpcError("too_many_streams", `${bound}; ${why}`, { retryAfterMs: RETRY_MS });
}
