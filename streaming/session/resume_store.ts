/** Resumable sessions, by their tokens. */
import { createHash, randomBytes } from "node:crypto";
import { CpcError } from "../../errors.ts";
import { factsOf, type KeptSession } from "./facts.ts";
import type { Session } from "./session.ts";
import { type Waiting, WaitingList } from "./waiting_list.ts";

/** What a store tells the hub. */
export interface StoreListener {
  /** Another server has taken the session over. */
  lost(session: Session): void;
  /** The store stopped working, or works again. */
  changed(works: boolean): void;
}

/** Until when a session waits, and for whom. */
export interface KeepOptions {
  readonly expiresAtMs: number;
  readonly client: string;
  readonly address?: string;
}

/**
 * Where resumable sessions are kept. An implementation with a shared store may wait, hence the
 * promises.
 */
export interface ResumeStore {
  /** Whether sessions outlive this server, so that another one can resume them. */
  readonly outlives: boolean;
  /** Whether streams can be resumed from it now. */
  readonly works: boolean;
  /** Names who is told; call it once. */
  listen(listener: StoreListener): void;
  /** Frames are about to be sent: what they come from is stored first. */
  beforeFrames(session: Session): void;
  /** The first token of a session. */
  issue(session: Session): string;
  /**
   * Resolves once the store's connection has all that was changed, so that it outlives this server.
   * It never waits for the store's answer.
   */
  given(): Promise<void>;
  /**
   * The session of a token, with its next token. The old one stays valid until
   * {@linkcode ResumeStore.confirm}, since the connection may break before the client has the next.
   *
   * @param options `owner`: name of the key; `received`: frames that the client has, which a server
   *   that still lives may not have stored yet; `accept`: throws to refuse; the token then stays as
   *   it is
   * @throws {CpcError} `unknown_resume_token` if the token is old, expired or another key's;
   *   whatever `accept` throws
   */
  redeem(
    token: string,
    options: { owner: string; received?: number; accept: (session: Session) => void },
  ): Promise<{ session: Session; token: string }>;
  /** The client has the session's newest token, so all others become void. */
  confirm(session: Session): void;
  /**
   * The session lost its socket: it stays until `expiresAtMs`.
   *
   * @param options `client`: among whom the places are shared out; `address`: where it was
   */
  keep(session: Session, options: KeepOptions): void;
  /** Sessions that wait for a resume, as far as this server knows. */
  kept(): Iterable<KeptSession>;
  /** Ends one of these by its id; false if it waits no more. */
  end(id: string): Promise<boolean>;
  /** The name of a token's session, where several servers share the store. */
  nameOf?(token: string): string | undefined;
  /** The session has ended for good. */
  drop(session: Session): void;
  /** Drops what has expired; called often. */
  expire(nowMs: number): void;
  /** Stores what is left; call it when all streams have ended. */
  close(): Promise<void>;
}

/** The refusal of a token that no session has. */
export function unknownToken(): CpcError {
  const why =
    "no session has this resume token: it was used before, has expired or belongs to another " +
    "key, or the store has lost the session; begin a new stream";
  return new CpcError("unknown_resume_token", why, { param: "resume" });
}

interface Kept {
  readonly session: Session;
  /** Hashes of the newest token, and of the one it replaces. */
  tokens: readonly string[];
  /** While it has no socket. */
  place?: Place;
}

/** Where a session waits. */
interface Place extends Waiting, KeepOptions {
  readonly session: Session;
}

/** Sessions in this process's memory. Tokens are 256 random bits and stored only as hashes. */
export class MemoryResumeStore implements ResumeStore {
  readonly outlives = false;
  readonly works = true;
  readonly #kept = new Map<Session, Kept>();
  /** In order of expiry. */
  readonly #waiting = new WaitingList<Place>();
  readonly #byToken = new Map<string, Kept>();
  readonly #maxKept: number;

  /**
   * @param maxKept most sessions kept without a socket, one of several streams counted as so many;
   *   beyond this, the client with most of them loses the one that expires first
   */
  constructor({ maxKept }: { maxKept: number }) {
    this.#maxKept = maxKept;
  }

  listen(): void {}

  beforeFrames(): void {}

  async given(): Promise<void> {}

  async close(): Promise<void> {}

  issue(session: Session): string {
    const kept = { session, tokens: [] };
    this.#kept.set(session, kept);
    return this.#next(kept, []);
  }

  // deno-lint-ignore require-await -- a store elsewhere waits
  async redeem(
    token: string,
    { owner, accept }: { owner: string; accept: (session: Session) => void },
  ) {
    const kept = this.#byToken.get(hash(token));
    if (!kept || kept.session.owner !== owner) throw unknownToken();
    accept(kept.session);
    this.#leave(kept);
    return { session: kept.session, token: this.#next(kept, [hash(token)]) };
  }

  confirm(session: Session): void {
    const kept = this.#kept.get(session);
    if (kept) this.#setTokens(kept, kept.tokens.slice(0, 1));
  }

  keep(session: Session, until: KeepOptions): void {
    const kept = this.#kept.get(session);
    if (!kept) return;
    this.#leave(kept); // to the end
    const { streams, isUnheard } = session;
    kept.place = { ...until, session, streams, isUnheard };
    this.#waiting.add(kept.place);
    while (this.#waiting.streams > this.#maxKept) this.drop(this.#waiting.firstToGo!.session);
  }

  kept(): KeptSession[] {
    return Array.from(this.#waiting, ({ session, address, expiresAtMs }) => ({
      ...factsOf(session, address),
      expiresAtMs,
    }));
  }

  // deno-lint-ignore require-await -- a store elsewhere waits
  async end(id: string): Promise<boolean> {
    const found = [...this.#waiting].find(({ session }) => session.id === id);
    if (found) this.drop(found.session);
    return found !== undefined;
  }

  drop(session: Session): void {
    const kept = this.#kept.get(session);
    if (!kept) return;
    this.#leave(kept);
    this.#setTokens(kept, []);
    this.#kept.delete(session);
  }

  expire(nowMs: number): void {
    for (const { session, expiresAtMs } of this.#waiting) {
      if (expiresAtMs > nowMs) return;
      this.drop(session);
    }
  }

  #leave(kept: Kept): void {
    if (kept.place) this.#waiting.remove(kept.place);
    kept.place = undefined;
  }

  #next(kept: Kept, former: readonly string[]): string {
    const token = randomBytes(32).toString("base64url");
    this.#setTokens(kept, [hash(token), ...former]);
    return token;
  }

  #setTokens(kept: Kept, tokens: readonly string[]): void {
    for (const old of kept.tokens) this.#byToken.delete(old);
    for (const token of tokens) this.#byToken.set(token, kept);
    kept.tokens = tokens;
  }
}

function hash(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}
