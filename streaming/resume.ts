/** Sessions that can be resumed, by their tokens. */
import { createHash, randomBytes } from "node:crypto";
import { CpcError } from "../errors.ts";
import type { Session } from "./session.ts";

/** Where resumable sessions are kept; an implementation over a shared store may wait, hence the promises. */
export interface ResumeStore {
  /** A new token for a session; the session's former token is void from now on. */
  issue(session: Session): string;
  /**
   * The session of a token, with its next token; the old one is void.
   *
   * @param options `owner`: name of the key; `accept`: throws to refuse, the token then stays as it is
   * @throws {CpcError} `unknown_resume_token` when the token is old, expired or another key's; what `accept` throws
   */
  redeem(
    token: string,
    options: { owner: string; accept: (session: Session) => void },
  ): Promise<{ session: Session; token: string }>;
  /** The session lost its socket: it stays until `expiresAtMs`. */
  keep(session: Session, expiresAtMs: number): void;
  /** The session has ended for good. */
  drop(session: Session): void;
  /** Lets go of what has expired. */
  expire(nowMs: number): void;
}

interface Kept {
  readonly session: Session;
  expiresAtMs: number;
}

/** Sessions in this process's memory. Tokens are 256 random bits and stored only as hashes. */
export class MemoryResumeStore implements ResumeStore {
  readonly #byToken = new Map<string, Kept>();
  readonly #tokens = new Map<Session, string>();
  readonly #maxKept: number;

  /** @param maxKept sessions without a socket that are kept at the most; beyond it those that expire first go */
  constructor({ maxKept }: { maxKept: number }) {
    this.#maxKept = maxKept;
  }

  issue(session: Session): string {
    const token = randomBytes(32).toString("base64url");
    this.drop(session);
    this.#byToken.set(hash(token), { session, expiresAtMs: Infinity });
    this.#tokens.set(session, hash(token));
    return token;
  }

  // deno-lint-ignore require-await -- a store elsewhere waits
  async redeem(token: string, { owner, accept }: { owner: string; accept: (session: Session) => void }) {
    const session = this.#byToken.get(hash(token))?.session;
    if (!session || session.owner !== owner) {
      const why =
        "no session has this resume token: it was used before, has expired or belongs to another key; begin a new stream";
      throw new CpcError("unknown_resume_token", why, { param: "resume" });
    }
    accept(session);
    return { session, token: this.issue(session) };
  }

  keep(session: Session, expiresAtMs: number): void {
    const token = this.#tokens.get(session);
    const kept = token && this.#byToken.get(token);
    if (!kept || !token) return;
    kept.expiresAtMs = expiresAtMs;
    this.#byToken.delete(token); // to the end: the map is in order of expiry among those without a socket
    this.#byToken.set(token, kept);
    const waiting = [...this.#byToken.values()].filter((other) => other.expiresAtMs < Infinity);
    for (const { session } of waiting.slice(0, Math.max(0, waiting.length - this.#maxKept))) this.drop(session);
  }

  drop(session: Session): void {
    const token = this.#tokens.get(session);
    if (token) this.#byToken.delete(token);
    this.#tokens.delete(session);
  }

  expire(nowMs: number): void {
    for (const { session, expiresAtMs } of [...this.#byToken.values()]) if (expiresAtMs <= nowMs) this.drop(session);
  }
}

function hash(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}
