/** Resumable sessions in a store that several servers share: their tokens, and who has them. */
import { CpcError } from "../../errors.ts";
import { listen } from "../../inference/listen.ts";
import type { SessionStore } from "../../stores/store.ts";
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
import { SILENT_MS } from "./unanswered.ts";
import { RETRY_MS, storeDown, WriteBehind } from "./write_behind.ts";

/** How much longer than the resume window a live session is stored after its last renewal. */
const RENEW_MARGIN_MS = 3000;
/** Time between two looks for what has expired. */
const SWEEP_MS = 1000;
/** Time between the first two looks for frames that a session lacks; it doubles with each. */
const LACKING_MS = 100;
/** Resumes at once, and how many more may wait for their turn. */
const RESUMES_AT_ONCE = 16;
const RESUMES_WAITING = 4096;
/** The same of one session: its client has one connection, and others that it has given up. */
const OF_ONE_SESSION = { most: 1, mostWaiting: 4 } as const;
/** Records that most resumes need no more of: ten seconds of messages of 20 ms. */
const NEWEST_RECORDS = 512;

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
  readonly #writes: WriteBehind;
  /** By the ids of their sessions, oldest first. */
  readonly #left = new Map<string, Left>();
  readonly #turns = new Turns({ most: RESUMES_AT_ONCE, mostWaiting: RESUMES_WAITING });
  /** Resumes of each session. */
  readonly #resuming = new Map<string, Turns>();
  /** To open a stored session takes long: others are heard in between. */
  readonly #opening = new Turns({ most: 1, mostWaiting: RESUMES_AT_ONCE });
  #sweptMs = -Infinity;

  constructor(store: SessionStore, options: SharedOptions) {
    this.#store = store;
    this.#options = options;
    this.outlives = options.outlives;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#writes = new WriteBehind(store, { liveMs: this.#liveMs, nowMs: this.#nowMs });
  }

  /** Where it is, for logs. */
  get place(): string {
    return this.#store.place;
  }

  get works(): boolean {
    return this.#writes.works;
  }

  /** Why it does not work, for logs. */
  get problem(): unknown {
    return this.#writes.problem;
  }

  listen(listener: StoreListener): void {
    this.#writes.listen(listener);
  }

  nameOf(token: string): string | undefined {
    return partsOf(token)?.id;
  }

  /** Resolves once the store has answered for the first time, or has not within a second. */
  start(): Promise<void> {
    return this.#writes.start();
  }

  issue(session: Session): string {
    const token = newToken();
    this.#hold(
      HeldSession.begin(session, {
        parts: partsOf(token)!, // it was made here
        openedAtMs: Date.now(),
        fingerprint: this.#options.model(session.config.model)?.fingerprint ?? "",
      }),
    );
    this.#writes.flush(); // whoever has the token may resume
    return token;
  }

  given(): Promise<void> {
    return this.#writes.given();
  }

  #hold(held: HeldSession): void {
    this.#left.delete(held.session.id);
    this.#writes.hold(held);
  }

  beforeFrames(session: Session): void {
    this.#writes.beforeFrames(session);
  }

  /**
   * Resumes take turns: of a thousand at once, the last would otherwise find a store silent that
   * only waits for this thread. Those of one session come one after the other, since each reads all
   * that is stored of it.
   */
  async redeem(
    token: string,
    options: { owner: string; received?: number; accept: (session: Session) => void },
  ): Promise<{ session: Session; token: string }> {
    const parts = partsOf(token);
    if (!parts) throw unknownToken();
    const own = this.#resuming.get(parts.id) ?? new Turns(OF_ONE_SESSION);
    if (own.full || this.#turns.full) {
      const what = own.full
        ? "this session is resumed many times"
        : "too many sessions are resumed";
      const why = `${what} at once; resume again in a moment`;
      throw new CpcError("loading", why, { retryAfterMs: RETRY_MS });
    }
    this.#resuming.set(parts.id, own);
    try {
      return await own.take(() => this.#redeemUpTo(parts, options));
    } finally {
      if (own.idle) this.#resuming.delete(parts.id);
    }
  }

  /**
   * A session that lacks frames which the client has may come from a server that still lives and
   * whose writes are on their way: it is read again for as long as a store may be silent.
   */
  async #redeemUpTo(
    parts: TokenParts,
    { received = 0, ...options }: {
      owner: string;
      received?: number;
      accept: (session: Session) => void;
    },
  ): Promise<{ session: Session; token: string }> {
    const endMs = performance.now() + SILENT_MS;
    let [waitMs, changes] = [LACKING_MS, 0];
    for (;;) {
      const least = performance.now() < endMs ? received : 0;
      const redeemed = await this.#turns.take(() =>
        this.#redeem(parts, { received, least, ...options })
      );
      if (typeof redeemed === "object") return redeemed;
      if (redeemed === "lacks") {
        const leftMs = Math.max(0, endMs - performance.now());
        await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, leftMs)));
        waitMs *= 2;
      } else if (++changes > 1) { // the second one reads all that a former server wrote
        const why = "the session changed while it was resumed; resume it again";
        throw new CpcError("loading", why, { retryAfterMs: 100 });
      }
    }
  }

  /**
   * @param options `received`: frames that the client has; `least`: those that it should find
   * @returns `lacks` if the session has fewer frames than `least`; `changed` if it changed meanwhile
   *   by more than audio, so that a former server is fenced and it has to be read anew
   */
  async #redeem(
    parts: TokenParts,
    { owner, received, least, accept }: {
      owner: string;
      received: number;
      least: number;
      accept: (session: Session) => void;
    },
  ): Promise<{ session: Session; token: string } | "lacks" | "changed"> {
    if (!this.#writes.works) throw storeDown();
    this.#writes.flush(); // it may be one of ours
    const found = await this.#read(parts, { owner, received });
    const { session, stored, records, first, identity, dataKey, open } = found;
    const after = stored.first + stored.records.length;
    if (least > session.frames && session.segment === 0) return "lacks";
    accept(session);
    const next = newToken(parts.locator);
    const nextParts = partsOf(next)!; // it was made here
    const wrapped = seal(nextParts.key, parts.id, dataKey);
    const later = await this.#writes.ask(this.#store.claim(parts.id, {
      epoch: stored.epoch,
      hash: parts.hash,
      next: [nextParts.hash, wrapped],
      after,
      ttlMs: this.#liveMs,
    }));
    if (!later) {
      const why = "this session was resumed on another connection at the same moment";
      throw new CpcError("resumed_elsewhere", why);
    }
    const news = later.map((sealed, i) => open(sealed, after + i));
    if (!follow(session, news)) return "changed";
    this.#hold(
      HeldSession.resume(session, {
        parts: nextParts,
        identity,
        dataKey,
        epoch: stored.epoch + 1,
        tokens: new Map([[parts.hash, stored.wrappedKey], [nextParts.hash, wrapped]]),
        from: stored.from,
        first,
        records: [...records, ...news],
      }),
    );
    return { session, token: next };
  }

  /** Reads the newest records of a session, and all of them where a resume needs more. */
  async #read(
    parts: TokenParts,
    options: { owner: string; received: number },
  ): Promise<StoredSession> {
    const newest = await this.#readNewest(parts, { most: NEWEST_RECORDS, ...options });
    return newest ?? (await this.#readNewest(parts, options))!;
  }

  async #readNewest(
    parts: TokenParts,
    { most, ...options }: { most?: number; owner: string; received: number },
  ): Promise<StoredSession | undefined> {
    const stored = await this.#writes.ask(this.#store.read(parts.id, parts.hash, most));
    if (!stored) throw unknownToken();
    const { model } = this.#options;
    return await this.#opening.take(async () => {
      await listen(1);
      return await openStored(stored, { parts, model, nowMs: this.#nowMs(), ...options });
    });
  }

  confirm(session: Session): void {
    const held = this.#writes.of(session);
    if (!held) return;
    held.forgetFormerToken();
    this.#writes.write(held);
  }

  keep(session: Session, { expiresAtMs, address }: Omit<KeepOptions, "client">): void {
    const held = this.#writes.of(session);
    if (!held) return;
    held.expiresAtMs = expiresAtMs;
    const { id: storedAs, epoch } = held;
    this.#left.set(session.id, { ...factsOf(session, address), expiresAtMs, storedAs, epoch });
    const [oldest] = this.#left.keys();
    if (oldest !== undefined && this.#left.size > this.#options.maxKept) this.#left.delete(oldest);
    this.#writes.write(held);
    this.#writes.trim(this.#options.maxKept);
  }

  drop(session: Session): void {
    const held = this.#writes.of(session);
    if (!held) return;
    this.#writes.letGo(held);
    this.#store.drop(held.id, held.epoch).catch(() => {}); // it expires by itself
  }

  kept(): Iterable<KeptSession> {
    return this.#left.values();
  }

  async end(id: string): Promise<boolean> {
    const left = this.#left.get(id);
    if (!left) return false;
    const held = this.#writes.named(left.storedAs);
    if (held) this.#writes.letGo(held); // the store had not taken it yet
    const wasThere = await this.#writes.ask(this.#store.drop(left.storedAs, left.epoch));
    this.#left.delete(id);
    return wasThere;
  }

  expire(nowMs: number): void {
    for (const [id, { expiresAtMs }] of this.#left) {
      if (expiresAtMs <= nowMs) this.#left.delete(id);
    }
    this.#writes.look(nowMs);
    if (nowMs - this.#sweptMs < SWEEP_MS) return;
    this.#sweptMs = nowMs;
    if (this.works) this.#writes.sweep();
  }

  close(): Promise<void> {
    return this.#writes.close();
  }

  /** How long a connected session stays without a renewal, in milliseconds. */
  get #liveMs(): number {
    return this.#options.resumeWindowS * 1000 + RENEW_MARGIN_MS;
  }
}
