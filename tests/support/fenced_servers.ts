/**
 * Servers that share a store in one process, and a client that goes from one to the other. What the
 * store is asked waits until a test carries it out, answers it, or lets the connection break; time
 * passes when the test says so.
 */
import { setImmediate } from "node:timers/promises";
import { CpcError } from "../../errors.ts";
import { modelLayout } from "../../model/engine.ts";
import { SqliteStore } from "../../stores/sqlite_store.ts";
import type { SessionStore } from "../../stores/store.ts";
import { parseStreamQuery, streamConfig } from "../../streaming/protocol/query.ts";
import { checkResume } from "../../streaming/session/resume.ts";
import { Session } from "../../streaming/session/session.ts";
import { SharedResumeStore } from "../../streaming/session/shared_resume_store.ts";
import { tinyConfig } from "./models.ts";

const LAYOUT = modelLayout(tinyConfig);
const TICK_MS = 250;
/** Turns after which everything has heard of everything. */
const TURNS = 12;
const CHECKPOINT_HOPS = 20;

/** Time that passes when it is told to, for everything in this process. */
export class FakeTime {
  nowMs = 1_000_000;
  readonly #timers = new Map<number, { dueMs: number; run: () => void }>();
  readonly #real = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    now: performance.now,
  };
  #next = 1;

  constructor() {
    const setTimeout = (run: () => void, ms = 0) => {
      this.#timers.set(this.#next, { dueMs: this.nowMs + ms, run });
      return this.#next++;
    };
    const clearTimeout = (id: number) => this.#timers.delete(id);
    Object.assign(globalThis, { setTimeout, clearTimeout });
    performance.now = () => this.nowMs;
  }

  restore(): void {
    const { setTimeout, clearTimeout, now } = this.#real;
    Object.assign(globalThis, { setTimeout, clearTimeout });
    performance.now = now;
  }

  pass(ms: number): void {
    this.nowMs += ms;
    for (const [id, { dueMs, run }] of this.#timers) {
      if (dueMs > this.nowMs) continue;
      this.#timers.delete(id);
      run();
    }
  }
}

/** A connection to the store. */
class SlowStore implements SessionStore {
  readonly place = "slow:";
  readonly writesAtOnce = false;
  readonly #store: SessionStore;
  /** Asked, in order: `answer` carries it out and answers, `fail` does neither. */
  readonly waiting: { answer(isHeard: boolean): void; fail(): void }[] = [];
  isDown = false;
  /** The process is dead: what it handed over stays, nothing comes after it. */
  isOver = false;

  constructor(store: SessionStore) {
    this.#store = store;
  }

  #ask<T>(work: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (this.isOver) return promise;
    if (this.isDown) return Promise.reject(new Error("down"));
    const fail = () => reject(new Error("the connection broke"));
    this.waiting.push({
      answer: (isHeard) => void work().then(isHeard ? resolve : fail, reject),
      fail,
    });
    return promise;
  }

  put: SessionStore["put"] = (changes) => this.#ask(() => this.#store.put(changes));
  read: SessionStore["read"] = (...args) => this.#ask(() => this.#store.read(...args));
  claim: SessionStore["claim"] = (id, claim) => this.#ask(() => this.#store.claim(id, claim));
  drop: SessionStore["drop"] = (id, epoch) => this.#ask(() => this.#store.drop(id, epoch));
  probe: SessionStore["probe"] = () => this.#ask(() => this.#store.probe());
  sweep(): void {}
  async close(): Promise<void> {}
}

/** A server, as far as sessions go. */
export class FencedServer {
  connection: SlowStore;
  sessions: SharedResumeStore;
  /** What it serves: sessions whose client it believes to be there. */
  readonly serving = new Set<Session>();
  readonly #store: SessionStore;
  readonly #time: FakeTime;

  constructor(store: SessionStore, time: FakeTime) {
    this.#store = store;
    this.#time = time;
    [this.connection, this.sessions] = this.#start();
  }

  #start(): [SlowStore, SharedResumeStore] {
    const connection = new SlowStore(this.#store);
    const sessions = new SharedResumeStore(connection, {
      resumeWindowS: 60,
      outlives: true,
      maxKept: 16,
      model: () => ({ layout: LAYOUT, fingerprint: "f" }),
      nowMs: () => this.#time.nowMs,
    });
    sessions.listen({ lost: (session) => void this.serving.delete(session), changed: () => {} });
    return [connection, sessions];
  }

  /** `kill -9`, and a new process. What was handed to the store's connection still arrives. */
  kill(): void {
    this.connection.isOver = true;
    while (this.connection.waiting.length > 0) this.answer(false);
    this.serving.clear();
    [this.connection, this.sessions] = this.#start();
  }

  /** The store carries out what it was asked first. */
  answer(isHeard = true): void {
    this.connection.waiting.shift()?.answer(isHeard);
  }

  /** The connection breaks: the first so many requests are carried out, and none is answered. */
  cut(carriedOut: number): number {
    const { waiting } = this.connection;
    for (let i = 0; i < carriedOut && waiting.length > 0; i++) this.answer(false);
    const lost = waiting.length;
    for (const request of waiting.splice(0)) request.fail();
    return lost;
  }

  begin(): { session: Session; token: string } {
    const config = streamConfig(parseStreamQuery(new URLSearchParams()), {
      model: "tiny",
      dims: LAYOUT.dims,
    });
    const session = new Session(config, { owner: "", layout: LAYOUT, nowMs: this.#time.nowMs });
    const token = this.sessions.issue(session);
    this.serving.add(session);
    return { session, token };
  }

  async resume(token: string, received: number): Promise<{ session: Session; token: string }> {
    const resumed = await this.sessions.redeem(token, {
      owner: "",
      received,
      accept(session) {
        checkResume(session, { query: {}, received, outlives: true });
      },
    });
    for (const older of this.serving) { // as the hub does
      if (older.id === resumed.session.id) this.serving.delete(older);
    }
    this.serving.add(resumed.session);
    return resumed;
  }

  /** The client has answered the ping after `ready`. */
  confirm(session: Session): void {
    this.sessions.confirm(session);
  }

  /** It has noticed that the client is gone. */
  lose(session: Session): void {
    if (!this.serving.delete(session)) return;
    this.sessions.keep(session, { expiresAtMs: this.#time.nowMs + 60_000 });
  }

  /** Sends what it has computed; returns the client's number of frames then. */
  send(session: Session, frames: number): number {
    const hopsTaken = Math.floor(frames / CHECKPOINT_HOPS) * CHECKPOINT_HOPS;
    const state = new Float32Array(LAYOUT.stateFloats).fill(hopsTaken);
    if (hopsTaken > 0) session.history.add({ hopsTaken, state });
    session.frames = frames;
    this.sessions.beforeFrames(session);
    return frames;
  }
}

/** Two servers on one store. */
export class FencedServers {
  readonly time = new FakeTime();
  readonly servers: readonly [FencedServer, FencedServer];
  readonly #store: SqliteStore;

  constructor() {
    this.#store = new SqliteStore(":memory:", { nowMs: () => this.time.nowMs });
    this.servers = [
      new FencedServer(this.#store, this.time),
      new FencedServer(this.#store, this.time),
    ];
  }

  /** Lets everything happen that waits for nobody. */
  async settle(): Promise<void> {
    for (let i = 0; i < TURNS; i++) await setImmediate();
  }

  /** Time passes in ticks; with `working` the store answers everything at once. */
  async pass(ms: number, { working = false }: { working?: boolean } = {}): Promise<void> {
    for (let at = 0; at < ms; at += TICK_MS) {
      this.time.pass(Math.min(TICK_MS, ms - at));
      for (const { sessions } of this.servers) sessions.expire(this.time.nowMs);
      await this.settle();
      if (working) await this.answerAll();
    }
  }

  async answerAll(): Promise<void> {
    const waits = () => this.servers.some(({ connection }) => connection.waiting.length > 0);
    for (let i = 0; i < 50 && waits(); i++) {
      for (const server of this.servers) server.answer();
      await this.settle();
    }
  }

  async close(): Promise<void> {
    for (const { connection } of this.servers) connection.isOver = true;
    await this.settle();
    this.time.restore();
    await this.#store.close();
  }
}

/** The close code of a refusal. */
export function closeOf(error: unknown): number {
  if (error instanceof CpcError) return error.close;
  throw error;
}
