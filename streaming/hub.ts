/**
 * All streams of the server: who is connected, who may join, what time does to them, and how they
 * end when the server stops.
 */
import { CpcError, toCpcError } from "../errors.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import {
  type AdmissionOptions,
  capacityUsed,
  checkAdmission,
  countOf,
  isActive,
  keyFull,
  Overload,
  overloadError,
  serverFull,
} from "./admission.ts";
import type { Member, OpenedStream, StreamNames } from "./member.ts";
import type { FrameClock } from "./outgoing.ts";
import type { Place, PlacesOfAll } from "./places.ts";
import type { StreamLimits } from "./protocol/limits.ts";
import { type Rests, sharedRests } from "./rests.ts";
import type { EnginePool } from "../inference/pool.ts";
import { MemoryResumeStore, type ResumeStore } from "./session/resume_store.ts";
import { DecoderShelf } from "./session/decoder_shelf.ts";
import type { Session } from "./session/session.ts";
import { Sessions } from "./sessions.ts";

/** What streams report; the server's metrics implement it. */
export interface StreamMetrics {
  /** @param owner name of the key; "" without one */
  audioReceived(seconds: number, owner: string): void;
  framesSent(count: number, owner: string): void;
  /** How long a frame took from the arrival of its last sample to its way out. */
  frameSentAfter(seconds: number): void;
  /** Audio of a live stream that waits although it came in time. */
  lagged(seconds: number): void;
  /** @param outcome `resumed`, or the code of the refusal */
  resumed(outcome: string): void;
  /** @param count one, or one for each channel */
  streamsOpened(count: number): void;
  streamsEnded(count: number): void;
  closed(code: number): void;
  errored(code: string): void;
  /** The store of sessions works, or does not. */
  storeWorks?(works: boolean): void;
}

const TICK_MS = 250;
/**
 * Time for looking at connections before others have theirs: a look may write a ping, and those of
 * clients that came together are due together.
 */
const LOOKS_MS = 1;
/**
 * Time of the others. The thread has to rest: while it always has something to do, it hears model
 * workers in every 31st turn alone (`inference/listen.ts`). And clients answer fewer pings at once.
 */
const BETWEEN_LOOKS_MS = 10;
/** What clients are told while the store does not work. */
export const STORE_WARNING = "the store of sessions does not answer: the stream goes on, but " +
  "a resume may fail until it is back";

/** The server's streams. */
export class Hub {
  readonly pool: EnginePool;
  readonly limits: StreamLimits;
  readonly metrics: StreamMetrics;
  readonly store: ResumeStore;
  readonly shelf: DecoderShelf;
  readonly sessions: Sessions;
  /** Where streams that take the thread for long wait, so that the others are heard. */
  readonly rests: Pick<Rests, "rest"> = sharedRests;
  readonly nowMs: () => number;
  readonly frameClock?: FrameClock;
  readonly #secondsPerHop: (model: string) => number;
  readonly #log: (error: CpcError, names: StreamNames) => void;
  /** A stream has opened or resumed. */
  readonly opened: (stream: OpenedStream, names: StreamNames) => void;
  readonly #members = new Set<Member>();
  readonly #places?: PlacesOfAll;
  readonly #placeOf = new Map<Member, Place>();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #overload = new Overload<Member>();
  #draining = false;
  #looking?: Promise<void>;

  /**
   * @param options `onError`: told of every stream that ends in an error; `onOpen`: of every one
   *   that opens or resumes; `onStore`: when the store fails, and when it works again; `store`:
   *   where sessions wait for a resume; `places`: counts the streams of several servers;
   *   `frameClock`: times the frames of each step; `nowMs`: a clock in milliseconds,
   *   `secondsPerHop`: what a hop costs (tests bring their own)
   */
  constructor(pool: EnginePool, {
    limits,
    metrics,
    onError,
    onOpen = () => {},
    onStore = () => {},
    store = new MemoryResumeStore({ maxKept: limits.maxKeptSessions }),
    places,
    frameClock,
    nowMs = () => performance.now(),
    secondsPerHop = (model) => pool.secondsPerHop(model),
  }: {
    limits: StreamLimits;
    metrics: StreamMetrics;
    onError: (error: CpcError, names: StreamNames) => void;
    onOpen?: (opened: OpenedStream, names: StreamNames) => void;
    onStore?: (works: boolean) => void;
    store?: ResumeStore;
    places?: PlacesOfAll;
    frameClock?: FrameClock;
    nowMs?: () => number;
    secondsPerHop?: (model: string) => number;
  }) {
    this.pool = pool;
    this.limits = limits;
    this.metrics = metrics;
    this.nowMs = nowMs;
    this.#log = onError;
    this.opened = onOpen;
    this.store = store;
    this.shelf = new DecoderShelf({ maxKept: limits.maxKeptSessions });
    const { resumeWindowS } = limits;
    this.sessions = new Sessions({ store, shelf: this.shelf, resumeWindowS, nowMs });
    this.#places = places;
    this.frameClock = frameClock;
    store.listen({
      lost: (session) => this.sessions.lost(session),
      changed: (works) => {
        onStore(works);
        this.#storeChanged(works);
      },
    });
    this.#secondsPerHop = secondsPerHop;
    this.#timer = setInterval(() => void this.tick(), TICK_MS);
  }

  /** Streams connected now; each channel of a split one counts. */
  get size(): number {
    return countOf(this.#members);
  }

  /**
   * Share of what the server can serve that is used: streams that are open, and those that speak.
   */
  get capacityUsed(): number {
    return capacityUsed([...this.#members], this.#admission());
  }

  #admission(): AdmissionOptions {
    return {
      limits: this.limits,
      workers: Math.max(1, this.pool.alive),
      loadOf: (model) => this.#loadOf(model),
      nowMs: this.nowMs(),
    };
  }

  /** Share of one worker's time that a live stream of a model takes. */
  #loadOf(model: string): number {
    const loaded = this.pool.models.get(model);
    if (!loaded) return 0; // it was unloaded after the stream had ended
    return this.#secondsPerHop(model) * MODEL_SAMPLE_RATE / loaded.layout.plan.hopSamples;
  }

  /**
   * Takes a connection's place among the streams of all servers; one server counts its own, when
   * it admits it.
   *
   * @param options `streams`: what it counts as; 1 if only its session tells; `resume`: the token
   *   that it resumes with; `isThere`: whether its socket is
   * @throws {CpcError} `too_many_streams` for all servers or for the key
   */
  async takePlace(
    member: Member,
    { streams, resume, isThere }: {
      streams: number;
      resume: string | undefined;
      isThere: () => boolean;
    },
  ): Promise<void> {
    const { owner } = member;
    const { maxStreams: most } = this.limits;
    const ownMost = this.limits.maxStreamsOf(owner);
    const session = resume === undefined ? undefined : this.store.nameOf?.(resume);
    const place = await this.#places?.take({ owner, streams, session, most, ownMost });
    if (place === "server" || place === "key") throw this.#full(place, { owner, streams });
    if (!place) return;
    if (isThere()) this.#placeOf.set(member, place);
    else place.leave();
  }

  /**
   * A connection's session counts as so many streams as it has, which a resume learns late.
   *
   * @throws {CpcError} `too_many_streams` for all servers or for the key
   */
  async growPlace(member: Member): Promise<void> {
    const { owner, streams } = member;
    const full = await this.#placeOf.get(member)?.grow(streams);
    if (full) throw this.#full(full, { owner, streams });
  }

  #full(
    what: "server" | "key",
    { owner, streams }: { owner: string; streams: number },
  ): CpcError {
    const { maxStreams, maxStreamsOf } = this.limits;
    return what === "server"
      ? serverFull(maxStreams, streams)
      : keyFull(maxStreamsOf(owner), streams);
  }

  /** A connection's session has this token: it can be resumed at another server. */
  namePlace(member: Member, token: string): void {
    const session = this.store.nameOf?.(token);
    if (session !== undefined) this.#placeOf.get(member)?.name(session, member.streams);
  }

  /**
   * Lets a connection in, or refuses it.
   *
   * @param options `model`: whose features it wants; `streams`: what it counts as; `session`: what
   *   it resumes, an older connection of it makes room
   * @throws {CpcError} `draining`; `too_many_streams` for this server or key; `overloaded` when
   *   with it more streams would be active than can be kept live
   */
  admit(
    member: Member,
    { model, streams, session }: { model: string; streams: number; session?: Session },
  ): void {
    if (this.#draining) {
      throw new CpcError("draining", "the server is stopping", { retryAfterMs: 1000 });
    }
    const leaving = session && this.sessions.memberOf(session);
    checkAdmission(
      { owner: member.owner, model, streams },
      leaving ? [...this.#members].filter((other) => other !== leaving) : this.#members,
      this.#admission(),
    );
    member.streams = streams;
    this.#members.add(member);
    this.metrics.streamsOpened(streams);
  }

  /** A connection ended. */
  detach(member: Member, session: Session | undefined, { keep }: { keep: boolean }): void {
    if (this.#members.delete(member)) this.metrics.streamsEnded(member.streams);
    this.#placeOf.get(member)?.leave();
    this.#placeOf.delete(member);
    if (session) this.sessions.detach(session, member, { keep });
  }

  #storeChanged(works: boolean): void {
    this.metrics.storeWorks?.(works);
    if (works) return;
    for (const member of this.#members) member.warn("store", STORE_WARNING);
  }

  /** A stream ended in an error. */
  failed(error: CpcError, names: StreamNames): void {
    this.metrics.errored(error.code);
    this.#log(error, names);
  }

  /** What time does to streams, and to sessions that nobody resumes. */
  async tick(): Promise<void> {
    const nowMs = this.nowMs();
    // streams that wait for a new model's engine are late for once, not too many
    if (!this.pool.isAdding) {
      this.#overload.look([...this.#members], nowMs)?.fail(overloadError());
    }
    this.store.expire(nowMs);
    this.shelf.expire(nowMs);
    this.#looking ??= this.#lookAtAll().finally(() => this.#looking = undefined);
    await this.#looking;
  }

  async #lookAtAll(): Promise<void> {
    let beganMs = performance.now();
    for (const member of [...this.#members]) {
      if (this.#members.has(member)) this.#look(member);
      if (performance.now() - beganMs < LOOKS_MS) continue;
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_LOOKS_MS));
      beganMs = performance.now();
    }
  }

  /** A fault in looking at one connection ends it, and not the looks at all the others. */
  #look(member: Member): void {
    const nowMs = this.nowMs();
    try {
      member.tick(nowMs);
    } catch (error) {
      return member.fail(toCpcError(error));
    }
    if (isActive(member, nowMs)) this.metrics.lagged(member.lateS);
  }

  /**
   * Ends every stream with 1001. No more is read, and what was heard is answered first, as far as
   * that takes no longer than `withinMs`.
   */
  async drain(withinMs: number): Promise<void> {
    this.#draining = true;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, withinMs);
    await Promise.all([...this.#members].map((member) => member.drain(late.promise)));
    clearTimeout(timer);
    clearInterval(this.#timer);
    this.shelf.close();
  }
}
