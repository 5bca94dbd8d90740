/**
 * All streams of the server: who is connected, who may join, what time does to them, and how they
 * end when the server stops.
 */
import { CpcError } from "../errors.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import type { Connection } from "./connection.ts";
import type { StreamLimits } from "./protocol/limits.ts";
import type { EnginePool } from "../inference/pool.ts";
import { MemoryResumeStore, type ResumeStore } from "./session/resume_store.ts";
import type { Session } from "./session/session.ts";

/** What streams report; the server's metrics implement it. */
export interface StreamMetrics {
  audioReceived(seconds: number): void;
  framesSent(count: number): void;
  streamOpened(): void;
  streamEnded(): void;
  closed(code: number): void;
  errored(code: string): void;
}

/** How long a stream counts as active after its last audio, in milliseconds. */
const ACTIVE_MS = 2000;
const TICK_MS = 250;

/** The server's streams. */
export class Hub {
  readonly pool: EnginePool;
  readonly limits: StreamLimits;
  readonly metrics: StreamMetrics;
  readonly store: ResumeStore;
  readonly nowMs: () => number;
  readonly #secondsPerHop: (model: string) => number;
  readonly #log: (error: CpcError, fields: { session?: string }) => void;
  readonly #connections = new Set<Connection>();
  readonly #attached = new Map<Session, Connection>();
  readonly #timer: ReturnType<typeof setInterval>;
  #draining = false;

  /**
   * @param options `onError`: told of every stream that ends in an error; `store`: where sessions
   *   wait for a resume; `nowMs`: a clock in milliseconds, `secondsPerHop`: what a hop costs (tests
   *   bring their own)
   */
  constructor(pool: EnginePool, {
    limits,
    metrics,
    onError,
    store = new MemoryResumeStore({ maxKept: limits.maxKeptSessions }),
    nowMs = () => performance.now(),
    secondsPerHop = (model) => pool.secondsPerHop(model),
  }: {
    limits: StreamLimits;
    metrics: StreamMetrics;
    onError: (error: CpcError, fields: { session?: string }) => void;
    store?: ResumeStore;
    nowMs?: () => number;
    secondsPerHop?: (model: string) => number;
  }) {
    this.pool = pool;
    this.limits = limits;
    this.metrics = metrics;
    this.nowMs = nowMs;
    this.#log = onError;
    this.store = store;
    this.#secondsPerHop = secondsPerHop;
    this.#timer = setInterval(() => this.tick(), TICK_MS);
  }

  /** Streams connected now. */
  get size(): number {
    return this.#connections.size;
  }

  /** Share of one worker's time that a live stream of a model takes. */
  #loadOf(model: string): number {
    const { hopSamples } = this.pool.model(model).layout.plan;
    return this.#secondsPerHop(model) * MODEL_SAMPLE_RATE / hopSamples;
  }

  /**
   * Lets a connection in, or refuses it.
   *
   * @param options `model`: whose features it wants; `session`: what it resumes, an older
   *   connection of it makes room
   * @throws {CpcError} `draining`; `too_many_streams` for this server or key; `overloaded` when
   *   with it more streams would be active than can be kept live
   */
  admit(connection: Connection, { model, session }: { model: string; session?: Session }): void {
    if (this.#draining) {
      throw new CpcError("draining", "the server is stopping", { retryAfterMs: 1000 });
    }
    const leaving = session && this.#attached.get(session);
    const others = [...this.#connections].filter((other) => other !== leaving);
    if (others.length >= this.limits.maxStreams) {
      throw new CpcError(
        "too_many_streams",
        `this server takes ${this.limits.maxStreams} streams; all are in use`,
        {
          retryAfterMs: 1000,
        },
      );
    }
    const allowed = this.limits.maxStreamsOf(connection.owner);
    const own = others.filter(({ owner }) => owner === connection.owner).length;
    if (own >= allowed) {
      throw new CpcError(
        "too_many_streams",
        `this key may have ${allowed} streams at once; all are in use`,
        {
          retryAfterMs: 1000,
        },
      );
    }
    const nowMs = this.nowMs();
    const active = others.filter(({ lastAudioMs }) => nowMs - lastAudioMs < ACTIVE_MS);
    const load = this.#loadOf(model);
    const taken = active.reduce(
      (sum, { model }) => sum + (model === undefined ? 0 : this.#loadOf(model)),
      0,
    );
    if (active.length > 0 && taken + load > this.pool.size) {
      const room = Math.max(1, Math.floor(this.pool.size / load));
      const why =
        `${active.length} streams are active and this machine keeps about ${room} live; one more would make all late`;
      throw new CpcError("overloaded", why, { retryAfterMs: ACTIVE_MS });
    }
    this.#connections.add(connection);
    this.metrics.streamOpened();
  }

  /** A session has a socket; an older one of it is closed. */
  attach(session: Session, connection: Connection): void {
    const older = this.#attached.get(session);
    this.#attached.set(session, connection);
    older?.fail(
      new CpcError("resumed_elsewhere", "this session was resumed on another connection"),
    );
  }

  /** A connection ended. */
  detach(connection: Connection, session: Session | undefined, { keep }: { keep: boolean }): void {
    if (this.#connections.delete(connection)) this.metrics.streamEnded();
    // moved to another connection
    if (!session || this.#attached.get(session) !== connection) return;
    this.#attached.delete(session);
    if (keep) this.keep(session);
    else this.store.drop(session);
  }

  /** Keeps a session that has no socket, for a while. */
  keep(session: Session): void {
    if (this.#attached.has(session)) return;
    session.detach();
    this.store.keep(session, this.nowMs() + this.limits.resumeWindowS * 1000);
  }

  /** A stream ended in an error. */
  failed(error: CpcError, fields: { session?: string }): void {
    this.metrics.errored(error.code);
    this.#log(error, fields);
  }

  /**
   * What time does: pings, idle warnings and ends, session limits, slow readers, kept sessions that
   * expire.
   */
  tick(): void {
    const nowMs = this.nowMs();
    const { idleTimeoutS, sessionLimitS } = this.limits;
    for (const connection of [...this.#connections]) {
      connection.tick(nowMs);
      if (connection.busy) connection.lastHeardMs = nowMs;
      const idle = (nowMs - connection.lastHeardMs) / 1000;
      const age = connection.openedAtMs === undefined ? 0 : (nowMs - connection.openedAtMs) / 1000;
      if (age >= sessionLimitS) {
        connection.fail(
          new CpcError(
            "session_limit",
            `a session lasts ${sessionLimitS} s at the most; begin a new one`,
          ),
        );
      } else if (idle >= idleTimeoutS) {
        connection.fail(
          new CpcError(
            "idle_timeout",
            `nothing came for ${idleTimeoutS} s; send audio, or keep_alive while there is none`,
          ),
        );
      } else if (idle >= idleTimeoutS * 0.75 && !connection.warnedIdle) {
        connection.warnedIdle = true;
        connection.warn(
          "idle",
          `nothing came for ${
            Math.round(idle)
          } s; the stream ends after ${idleTimeoutS} s without a message`,
        );
      }
    }
    this.store.expire(nowMs);
  }

  /** Ends every stream with what was heard answered, a resume token and 1001. */
  async drain(): Promise<void> {
    this.#draining = true;
    await Promise.all([...this.#connections].map((connection) => connection.drain()));
    clearInterval(this.#timer);
  }
}
