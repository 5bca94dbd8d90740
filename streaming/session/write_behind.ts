/**
 * What streams hear, on its way to a shared store: handed to it before the frames that it leads to
 * are sent, and never waited for. While the store is down nothing is written; what it missed is
 * written anew once it answers.
 */
import { clearImmediate, setImmediate } from "node:timers";
import { CpcError } from "../../errors.ts";
import { listen } from "../../inference/listen.ts";
import type { Put, PutResult, SessionStore } from "../../stores/store.ts";
import type { HeldSession } from "./held_session.ts";
import { Relapses } from "./relapses.ts";
import type { StoreListener } from "./resume_store.ts";
import type { Session } from "./session.ts";
import { SILENT_MS, Unanswered, type Write } from "./unanswered.ts";

/** Most bytes that wait for the store's answer; beyond this it counts as down. */
const MOST_UNANSWERED_BYTES = 16 * 1024 * 1024;
/** Most of them while streams are written anew after it was down, so that others get through. */
const MOST_RENEWING_BYTES = 4 * 1024 * 1024;
/** Time between two renewals of a session that hears nothing; a fenced one learns of it so. */
const RENEW_MS = 1500;
/** Most of them at once: a thousand take SQLite some 20 ms, in which no stream is heard. */
const MOST_RENEWED = 1024;
/** Turns of the event loop within which a store's client writes to its connection. */
const WRITING_TURNS = 2;
/** Time between two looks at start whether the store answers. */
const CONNECTING_MS = 20;
/** How soon to resume again when the store is down, or too many do. */
export const RETRY_MS = 1000;

/** The sessions that this server holds in a store, and their writes. */
export class WriteBehind {
  /** Why the store does not work, for logs. */
  problem?: unknown;
  readonly #store: SessionStore;
  readonly #liveMs: number;
  readonly #nowMs: () => number;
  readonly #held = new Map<Session, HeldSession>();
  readonly #byId = new Map<string, HeldSession>();
  readonly #dirty = new Set<HeldSession>();
  /** To be written anew, since the store was down. */
  readonly #stale = new Set<HeldSession>();
  readonly #unanswered = new Unanswered();
  #flushing?: ReturnType<typeof setImmediate>;
  #works = false; // until it has answered
  readonly #relapses = new Relapses();
  #listener: StoreListener = { lost: () => {}, changed: () => {} };

  /**
   * @param options `liveMs`: how long a connected session stays stored without a renewal; `nowMs`:
   *   a clock in milliseconds, the hub's
   */
  constructor(store: SessionStore, { liveMs, nowMs }: { liveMs: number; nowMs: () => number }) {
    this.#store = store;
    this.#liveMs = liveMs;
    this.#nowMs = nowMs;
  }

  /** Whether the store answers. */
  get works(): boolean {
    return this.#works;
  }

  /** Names who is told; call it once. */
  listen(listener: StoreListener): void {
    this.#listener = listener;
  }

  /** Resolves once the store has answered for the first time, or has not within a second. */
  async start(): Promise<void> {
    const endMs = performance.now() + SILENT_MS;
    while (!this.#works && performance.now() < endMs) {
      await withDeadline(this.#probe(), SILENT_MS).catch(() => {});
      if (!this.#works) await new Promise((resolve) => setTimeout(resolve, CONNECTING_MS));
    }
  }

  /** What is held of a session; undefined once it was let go. */
  of(session: Session): HeldSession | undefined {
    return this.#held.get(session);
  }

  /** The held session of this name in the store. */
  named(id: string): HeldSession | undefined {
    return this.#byId.get(id);
  }

  /** Writes what a session hears from now on, and lets go of a former connection's. */
  hold(held: HeldSession): void {
    const former = this.#byId.get(held.id); // of a connection that this one follows
    if (former) this.letGo(former);
    this.#held.set(held.session, held);
    this.#byId.set(held.id, held);
    held.session.onChange = (change) => {
      this.#dirty.add(held);
      if (change === "reset") held.beginAnew();
      if (change !== "heard") this.flush(); // its answer follows at once
      else this.#flushSoon();
    };
    this.#dirty.add(held);
    this.#flushing ??= setImmediate(() => this.flush());
  }

  /** Writes no more of a session. */
  letGo(held: HeldSession): void {
    held.session.onChange = () => {};
    this.#held.delete(held.session);
    if (this.#byId.get(held.id) === held) this.#byId.delete(held.id);
    this.#dirty.delete(held);
    this.#stale.delete(held);
  }

  /**
   * Lets go of those without a connection that wait longest for a store that is down.
   *
   * @param mostStreams that may wait
   */
  trim(mostStreams: number): void {
    const waiting = [...this.#stale].filter((one) => one.expiresAtMs < Infinity);
    let count = waiting.reduce((sum, { session }) => sum + session.streams, 0);
    for (const one of waiting) {
      if (count <= mostStreams) break;
      count -= one.session.streams;
      this.letGo(one);
    }
  }

  /** Writes a session at once, with all that waits. */
  write(held: HeldSession): void {
    this.#dirty.add(held);
    this.flush();
  }

  /** Frames are about to be sent: what they come from is written first. */
  beforeFrames(session: Session): void {
    const held = this.#held.get(session);
    if (held?.hasNews) this.#dirty.add(held);
    if (held && this.#dirty.has(held)) this.flush();
  }

  /**
   * Has what was heard written in time for its frames. A store that writes at once is left alone
   * until they come: then everything that streams have heard meanwhile is one transaction.
   */
  #flushSoon(): void {
    if (!this.#store.writesAtOnce) this.#flushing ??= setImmediate(() => this.flush());
  }

  /** Writes all that waits. */
  flush(): void {
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

  /** Resolves once the store's connection has what was written; while it is down, at once. */
  async given(): Promise<void> {
    if (!this.#store.writesAtOnce && this.#works) await listen(WRITING_TURNS);
  }

  /** Lets go of what has expired, renews what is silent, and checks that the store answers. */
  look(nowMs: number): void {
    for (const held of [...this.#held.values()]) {
      if (held.expiresAtMs <= nowMs) this.letGo(held);
    }
    for (const held of this.#silent(nowMs)) this.#dirty.add(held);
    if (this.#unanswered.look(nowMs)) this.#down(`no answer within ${SILENT_MS} ms`);
    if (!this.#works && this.#relapses.isDue(nowMs)) void this.#probe();
    this.flush();
  }

  /** Those that are due for a renewal, the longest silent first, as many as a look renews. */
  #silent(nowMs: number): HeldSession[] {
    return [...this.#held.values()]
      .filter((held) => held.expiresAtMs === Infinity && nowMs - held.writtenMs > RENEW_MS)
      .sort((a, b) => a.writtenMs - b.writtenMs)
      .slice(0, MOST_RENEWED);
  }

  /**
   * An answer of the store that a client waits for.
   *
   * @throws {CpcError} `loading` if it fails or takes too long: the store is down then
   */
  async ask<T>(answer: Promise<T>): Promise<T> {
    try {
      return await withDeadline(answer, SILENT_MS);
    } catch (cause) {
      this.#down(cause);
      throw storeDown(cause);
    }
  }

  /** Has what has expired deleted. */
  sweep(): void {
    try {
      this.#store.sweep();
    } catch (error) {
      this.#down(error);
    }
  }

  /** Writes what is left, and closes the store. */
  async close(): Promise<void> {
    this.flush();
    clearImmediate(this.#flushing);
    const endMs = performance.now() + SILENT_MS;
    while (this.#works && !this.#unanswered.isEmpty && performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    this.sweep();
    await withDeadline(this.#store.close(), SILENT_MS).catch(() => {});
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
    const { bytes: waiting } = this.#unanswered;
    if (waiting > MOST_UNANSWERED_BYTES) this.#down(`${waiting} bytes wait for its answer`);
  }

  async #settle(
    due: readonly HeldSession[],
    sent: Write,
    answer: Promise<readonly PutResult[]>,
  ): Promise<void> {
    try {
      const results = await answer;
      for (const [i, held] of due.entries()) this.#took(held, results[i]!);
    } catch (error) {
      this.#down(error);
    } finally {
      this.#unanswered.settled(sent);
    }
    this.#renew();
  }

  #took(held: HeldSession, result: PutResult): void {
    if (this.#held.get(held.session) !== held) return;
    if (result === "fenced") {
      this.letGo(held);
      this.#listener.lost(held.session);
    } else if (result === "missing") {
      this.#renewLater(held);
    } else if (held.expiresAtMs < Infinity && !this.#dirty.has(held) && !this.#stale.has(held)) {
      this.letGo(held); // the store has all of it
    }
  }

  /** The store does not work: nothing more is written until it answers. */
  #down(problem: unknown): void {
    this.#unanswered.clear();
    for (const held of this.#held.values()) this.#renewLater(held);
    if (!this.#works) return;
    this.problem = problem;
    this.#works = false;
    this.#relapses.failed(this.#nowMs());
    this.#listener.changed(false);
  }

  /** A second probe beside one that waits makes the store give up a silent connection. */
  async #probe(): Promise<void> {
    try {
      await this.#store.probe();
      if (this.#works) return;
      this.#works = true;
      this.#relapses.answered(this.#nowMs());
      this.#listener.changed(true);
      this.#renew();
    } catch (error) { // the next look tries again
      this.problem = error;
    }
  }
}

/** The refusal of a resume while the store does not answer. */
export function storeDown(cause?: unknown): CpcError {
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
