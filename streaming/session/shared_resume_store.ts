/**
 * Resumable sessions in a store that several servers share. What streams hear is written behind
 * them: handed to the store before the frames that it leads to are sent, and never waited for.
 */
import { clearImmediate, setImmediate } from "node:timers";
import { CpcError } from "../../errors.ts";
import type { Put, PutResult, SessionStore } from "../../stores/store.ts";
import { factsOf, type KeptSession } from "./facts.ts";
import { HeldSession } from "./held_session.ts";
import { follow } from "./portable.ts";
import {
  type KeepOptions,
  type ResumeStore,
  type StoreListener,
  unknownToken,
} from "./resume_store.ts";
import { newToken, partsOf, seal, type TokenParts } from "./seal.ts";
import type { Session } from "./session.ts";
import { type ModelOf, openStored, type StoredSession } from "./stored_session.ts";
import { Turns } from "./turns.ts";
import { SILENT_MS, Unanswered, type Write } from "./unanswered.ts";

/** Most bytes that wait for the store's answer; beyond this it counts as down. */
const MOST_UNANSWERED_BYTES = 16 * 1024 * 1024;
/** Most of them while streams are written anew after it was down, so that others get through. */
const MOST_RENEWING_BYTES = 4 * 1024 * 1024;
/** Time between two renewals of a session that hears nothing; a fenced one learns of it so. */
const RENEW_MS = 1500;
/** How much longer than the resume window a live session is stored after its last renewal. */
const RENEW_MARGIN_MS = 3000;
/** Time between two looks for what has expired. */
const SWEEP_MS = 1000;
/** Time between two looks at start whether the store answers. */
const CONNECTING_MS = 20;
/** Time between two looks for frames that a session lacks. */
const LACKING_MS = 100;
/** Resumes at once, and how many more may wait for their turn. */
const RESUMES_AT_ONCE = 16;
const RESUMES_WAITING = 4096;
/** How soon to try again when the store is down. */
const RETRY_MS = 1000;

/** What a shared store needs to know of the server. */
export interface SharedOptions {
  readonly resumeWindowS: number;
  readonly model: ModelOf;
  /** Whether the store outlives this server. */
  readonly outlives: boolean;
  /**
   * Most lost sessions that wait for a store that is down, each stream of one counted, and most
   * that are known by name while they lie in the store.
   */
  readonly maxKept: number;
  /** A clock in milliseconds, the hub's. */
  readonly nowMs?: () => number;
}

/** A session that this server left in the store. */
interface Left extends KeptSession {
  /** Its name in the store, and the epoch at which it was left. */
  readonly storedAs: string;
  readonly epoch: number;
}

/** Sessions in a shared store. */
export class SharedResumeStore implements ResumeStore {
  /** Whether the store outlives this server; false once it is about to end too. */
  outlives: boolean;
  readonly #store: SessionStore;
  readonly #options: SharedOptions;
  readonly #nowMs: () => number;
  readonly #held = new Map<Session, HeldSession>();
  readonly #byId = new Map<string, HeldSession>();
  /** By the ids of their sessions, oldest first. */
  readonly #left = new Map<string, Left>();
  readonly #dirty = new Set<HeldSession>();
  readonly #turns = new Turns({ most: RESUMES_AT_ONCE, mostWaiting: RESUMES_WAITING });
  /** To be written anew, since the store was down. */
  readonly #stale = new Set<HeldSession>();
  #flushing?: ReturnType<typeof setImmediate>;
  readonly #unanswered = new Unanswered();
  #works = false; // until it has answered
  /** Why it does not work, for logs. */
  problem?: unknown;
  #sweptMs = -Infinity;
  #listener: StoreListener = { lost: () => {}, changed: () => {} };

  constructor(store: SessionStore, options: SharedOptions) {
    this.#store = store;
    this.#options = options;
    this.outlives = options.outlives;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** Where it is, for logs. */
  get place(): string {
    return this.#store.place;
  }

  get works(): boolean {
    return this.#works;
  }

  listen(listener: StoreListener): void {
    this.#listener = listener;
  }

  nameOf(token: string): string | undefined {
    return partsOf(token)?.id;
  }

  /** Resolves once the store has answered for the first time, or has not within a second. */
  async start(): Promise<void> {
    const endMs = performance.now() + SILENT_MS;
    while (!this.#works && performance.now() < endMs) {
      await withDeadline(this.#probe(), SILENT_MS).catch(() => {});
      if (!this.#works) await new Promise((resolve) => setTimeout(resolve, CONNECTING_MS));
    }
  }

  issue(session: Session): string {
    const token = newToken();
    this.#hold(
      session,
      HeldSession.begin(session, {
        parts: partsOf(token)!, // it was made here
        openedAtMs: Date.now(),
        fingerprint: this.#options.model(session.config.model)?.fingerprint ?? "",
      }),
    );
    return token;
  }

  #hold(session: Session, held: HeldSession): void {
    this.#left.delete(session.id);
    const former = this.#byId.get(held.id); // of a connection that this one follows
    if (former) this.#letGo(former);
    this.#held.set(session, held);
    this.#byId.set(held.id, held);
    session.onChange = (change) => {
      this.#dirty.add(held);
      if (change === "reset") held.beginAnew();
      if (change !== "heard") this.#flush(); // its answer follows at once
      else this.#flushSoon();
    };
    this.#dirty.add(held);
    this.#flushing ??= setImmediate(() => this.#flush());
  }

  /**
   * Has what was heard written in time for its frames. A store that writes at once is left alone
   * until they come: then everything that streams have heard meanwhile is one transaction.
   */
  #flushSoon(): void {
    if (!this.#store.writesAtOnce) this.#flushing ??= setImmediate(() => this.#flush());
  }

  beforeFrames(session: Session): void {
    const held = this.#held.get(session);
    if (held?.hasNews) this.#dirty.add(held);
    if (held && this.#dirty.has(held)) this.#flush();
  }

  /**
   * Resumes take turns: of a thousand at once, the last would otherwise find a store silent that
   * only waits for this thread.
   */
  async redeem(
    token: string,
    options: { owner: string; received?: number; accept: (session: Session) => void },
  ): Promise<{ session: Session; token: string }> {
    if (this.#turns.full) {
      const why = "too many sessions are resumed at once; resume again in a moment";
      throw new CpcError("loading", why, { retryAfterMs: RETRY_MS });
    }
    return await this.#turns.take(() => this.#redeem(token, options));
  }

  async #redeem(
    token: string,
    { owner, received = 0, accept }: {
      owner: string;
      received?: number;
      accept: (session: Session) => void;
    },
  ): Promise<{ session: Session; token: string }> {
    const parts = partsOf(token);
    if (!parts) throw unknownToken();
    if (!this.#works) throw storeDown();
    this.#flush(); // it may be one of ours
    const found = await this.#readUpTo(parts, { owner, received });
    const { session, stored, records, identity, dataKey, open } = found;
    accept(session);
    const next = newToken(parts.locator);
    const nextParts = partsOf(next)!; // it was made here
    const wrapped = seal(nextParts.key, parts.id, dataKey);
    const later = await this.#ask(this.#store.claim(parts.id, {
      epoch: stored.epoch,
      hash: parts.hash,
      next: [nextParts.hash, wrapped],
      after: stored.from + records.length,
      ttlMs: this.#liveMs,
    }));
    if (!later) {
      const why = "this session was resumed on another connection at the same moment";
      throw new CpcError("resumed_elsewhere", why);
    }
    const news = later.map((sealed, i) => open(sealed, records.length + i));
    if (!follow(session, news)) {
      const why = "the session changed while it was resumed; resume it again";
      throw new CpcError("loading", why, { retryAfterMs: 100 });
    }
    this.#hold(
      session,
      HeldSession.resume(session, {
        parts: nextParts,
        identity,
        dataKey,
        epoch: stored.epoch + 1,
        tokens: new Map([[parts.hash, stored.wrappedKey], [nextParts.hash, wrapped]]),
        from: stored.from,
        records: [...records, ...news],
      }),
    );
    return { session, token: next };
  }

  /**
   * Reads a session. One that lacks frames which the client has may come from a server that still
   * lives and whose writes are on their way: it is read again for as long as a store may be silent.
   */
  async #readUpTo(
    parts: TokenParts,
    { owner, received }: { owner: string; received: number },
  ): Promise<StoredSession> {
    for (const endMs = performance.now() + SILENT_MS;;) {
      const found = await this.#read(parts, owner);
      const { frames, segment } = found.session;
      if (received <= frames || segment > 0 || performance.now() >= endMs) return found;
      await new Promise((resolve) => setTimeout(resolve, LACKING_MS));
    }
  }

  async #read(parts: TokenParts, owner: string): Promise<StoredSession> {
    const stored = await this.#ask(this.#store.read(parts.id, parts.hash));
    if (!stored) throw unknownToken();
    const { model } = this.#options;
    return openStored(stored, { parts, owner, model, nowMs: this.#nowMs() });
  }

  confirm(session: Session): void {
    const held = this.#held.get(session);
    if (!held) return;
    held.forgetFormerToken();
    this.#dirty.add(held);
    this.#flush();
  }

  keep(session: Session, { expiresAtMs, address }: Omit<KeepOptions, "client">): void {
    const held = this.#held.get(session);
    if (!held) return;
    held.expiresAtMs = expiresAtMs;
    const { id: storedAs, epoch } = held;
    this.#left.set(session.id, { ...factsOf(session, address), expiresAtMs, storedAs, epoch });
    const [oldest] = this.#left.keys();
    if (oldest !== undefined && this.#left.size > this.#options.maxKept) this.#left.delete(oldest);
    this.#dirty.add(held);
    this.#flush();
    const waiting = [...this.#stale].filter((one) => one.expiresAtMs < Infinity);
    let count = waiting.reduce((sum, { session }) => sum + session.streams, 0);
    for (const one of waiting) {
      if (count <= this.#options.maxKept) break;
      count -= one.session.streams;
      this.#letGo(one);
    }
  }

  drop(session: Session): void {
    const held = this.#held.get(session);
    if (!held) return;
    this.#letGo(held);
    this.#store.drop(held.id, held.epoch).catch(() => {}); // it expires by itself
  }

  kept(): Iterable<KeptSession> {
    return this.#left.values();
  }

  async end(id: string): Promise<boolean> {
    const left = this.#left.get(id);
    if (!left) return false;
    const held = this.#byId.get(left.storedAs);
    if (held) this.#letGo(held); // the store had not taken it yet
    const wasThere = await this.#ask(this.#store.drop(left.storedAs, left.epoch));
    this.#left.delete(id);
    return wasThere;
  }

  #letGo(held: HeldSession): void {
    held.session.onChange = () => {};
    this.#held.delete(held.session);
    if (this.#byId.get(held.id) === held) this.#byId.delete(held.id);
    this.#dirty.delete(held);
    this.#stale.delete(held);
  }

  expire(nowMs: number): void {
    for (const held of [...this.#held.values()]) {
      if (held.expiresAtMs <= nowMs) this.#letGo(held);
      else if (held.expiresAtMs === Infinity && nowMs - held.writtenMs > RENEW_MS) {
        this.#dirty.add(held);
      }
    }
    for (const [id, { expiresAtMs }] of this.#left) {
      if (expiresAtMs <= nowMs) this.#left.delete(id);
    }
    if (this.#unanswered.look(nowMs)) this.#down();
    if (!this.#works) void this.#probe();
    this.#flush();
    if (nowMs - this.#sweptMs < SWEEP_MS) return;
    this.#sweptMs = nowMs;
    if (this.#works) this.#store.sweep();
  }

  async close(): Promise<void> {
    this.#flush();
    clearImmediate(this.#flushing);
    const endMs = performance.now() + SILENT_MS;
    while (this.#works && !this.#unanswered.isEmpty && performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    this.#store.sweep();
    await withDeadline(this.#store.close(), SILENT_MS).catch(() => {});
  }

  /** How long a connected session stays without a renewal, in milliseconds. */
  get #liveMs(): number {
    return this.#options.resumeWindowS * 1000 + RENEW_MARGIN_MS;
  }

  #flush(): void {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    const due = [...this.#dirty];
    this.#dirty.clear();
    if (due.length === 0) return;
    if (!this.#works) {
      for (const held of due) this.#renewLater(held);
      return;
    }
    const writes = due.filter((held) => !this.#stale.has(held));
    if (writes.length > 0) this.#write(writes);
  }

  #renewLater(held: HeldSession): void {
    held.beginAnew();
    this.#stale.add(held);
  }

  /** Writes anew what the store missed, a part at a time. */
  #renew(): void {
    for (const held of this.#stale) {
      if (!this.#works || this.#unanswered.bytes > MOST_RENEWING_BYTES) return;
      this.#stale.delete(held);
      this.#write([held]);
    }
  }

  #write(due: readonly HeldSession[]): void {
    const nowMs = this.#nowMs();
    const puts = due.map((held): Put => {
      held.writtenMs = nowMs;
      return held.put(held.expiresAtMs === Infinity ? this.#liveMs : held.expiresAtMs - nowMs);
    });
    const bytes = puts.reduce((sum, { record }) => sum + (record?.sealed.length ?? 0), 0);
    const sent = this.#unanswered.add({ sinceMs: nowMs, bytes });
    void this.#settle(due, sent, this.#store.put(puts));
    if (this.#unanswered.bytes > MOST_UNANSWERED_BYTES) this.#down();
  }

  async #settle(
    due: readonly HeldSession[],
    sent: Write,
    answer: Promise<readonly PutResult[]>,
  ): Promise<void> {
    try {
      const results = await answer;
      for (const [i, held] of due.entries()) this.#took(held, results[i]!);
    } catch {
      for (const held of due) if (this.#held.has(held.session)) this.#renewLater(held);
      this.#down();
    } finally {
      this.#unanswered.settled(sent);
    }
    this.#renew();
  }

  #took(held: HeldSession, result: PutResult): void {
    if (this.#held.get(held.session) !== held) return;
    if (result === "fenced") {
      this.#letGo(held);
      this.#listener.lost(held.session);
    } else if (result === "missing") {
      this.#renewLater(held);
    } else if (held.expiresAtMs < Infinity && !this.#dirty.has(held) && !this.#stale.has(held)) {
      this.#letGo(held); // the store has all of it
    }
  }

  /** The store does not work: nothing more is written until it answers. */
  #down(): void {
    this.#unanswered.clear();
    for (const held of this.#held.values()) this.#renewLater(held);
    if (!this.#works) return;
    this.#works = false;
    this.#listener.changed(false);
  }

  /** A second probe beside one that waits makes the store give up a silent connection. */
  async #probe(): Promise<void> {
    try {
      await this.#store.probe();
      if (this.#works) return;
      this.#works = true;
      this.#listener.changed(true);
      this.#renew();
    } catch (error) { // the next look tries again
      this.problem = error;
    }
  }

  async #ask<T>(answer: Promise<T>): Promise<T> {
    try {
      return await withDeadline(answer, SILENT_MS);
    } catch (cause) {
      this.#down();
      throw storeDown(cause);
    }
  }
}

function storeDown(cause?: unknown): CpcError {
  const why = "the store of sessions does not answer; resume again in a moment";
  return new CpcError("loading", why, { retryAfterMs: RETRY_MS, cause });
}

async function withDeadline<T>(answer: Promise<T>, withinMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${withinMs} ms`)), withinMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
