/** Named keys with quotas, and the short-lived tokens that stand for them. */
import { Buffer } from "node:buffer";
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { CpcError } from "../errors.ts";
import type { ApiKey } from "../config/keys.ts";

/** Longest life of a token: an hour. */
export const TOKEN_SECONDS = { min: 1, max: 3600, fallback: 60 } as const;
const TOKEN_PREFIX = "cpct_";
const TOKEN = /^cpct_([\w-]+)\.([\w-]+)$/;
const MINUTE_MS = 60_000;

interface Owner extends ApiKey {
  readonly hash: Buffer;
  /** Requests allowed now; refilled over time. */
  requests: number;
  refilledMs: number;
}

/** The keys of a server. Stored and compared as SHA-256 hashes. */
export class Keys {
  readonly #owners: readonly Owner[];
  readonly #secret = randomBytes(32); // signs tokens; they end with this process
  readonly #nowMs: () => number;

  constructor(keys: readonly ApiKey[], nowMs: () => number = Date.now) {
    this.#nowMs = nowMs;
    this.#owners = keys.map((key) => ({
      ...key,
      hash: Buffer.from(key.sha256, "hex"),
      requests: key.requestsPerMinute,
      refilledMs: nowMs(),
    }));
  }

  /**
   * The name of the owner of a key or token: "" on a server without keys.
   *
   * @throws {CpcError} `unauthorized` when it is missing, wrong or expired
   */
  ownerOf(key: string | undefined): string {
    if (this.#owners.length === 0) return "";
    if (key === undefined) {
      throw new CpcError(
        "unauthorized",
        "this server requires a key: send Authorization: Bearer KEY, or the WebSocket subprotocol bearer.KEY",
      );
    }
    return key.startsWith(TOKEN_PREFIX) ? this.#tokenOwner(key) : this.#keyOwner(key).name;
  }

  /** Most streams at once of an owner. */
  maxStreamsOf(name: string): number {
    return this.#owner(name)?.maxStreams ?? Infinity;
  }

  /**
   * Counts a request of an owner.
   *
   * @throws {CpcError} `rate_limited` when the owner has none left in this minute
   */
  spend(name: string): void {
    const owner = this.#owner(name);
    if (!owner || owner.requestsPerMinute === Infinity) return;
    const { requestsPerMinute: rate } = owner;
    const nowMs = this.#nowMs();
    owner.requests = Math.min(rate, owner.requests + (nowMs - owner.refilledMs) / MINUTE_MS * rate);
    owner.refilledMs = nowMs;
    if (owner.requests < 1) {
      const retryAfterMs = (1 - owner.requests) / rate * MINUTE_MS;
      throw new CpcError("rate_limited", `this key may make ${rate} requests a minute`, {
        retryAfterMs,
      });
    }
    owner.requests--;
  }

  /**
   * A token that replaces a key for a while, so that a page need not hold the key.
   *
   * @param key the key itself, since a token cannot make tokens
   * @throws {CpcError} `unauthorized` for anything but a key; `invalid_option` on a server without
   *   keys
   */
  issueToken(key: string | undefined, seconds: number): { token: string; expiresAt: Date } {
    if (this.#owners.length === 0) {
      throw new CpcError("invalid_option", "this server has no keys, so it needs no tokens");
    }
    const { name } = this.#keyOwner(key ?? "");
    const expiresAt = new Date(this.#nowMs() + seconds * 1000);
    const claims = Buffer.from(JSON.stringify({ name, until: expiresAt.getTime() })).toString(
      "base64url",
    );
    return {
      token: `${TOKEN_PREFIX}${claims}.${this.#sign(claims).toString("base64url")}`,
      expiresAt,
    };
  }

  #keyOwner(key: string): Owner {
    const given = createHash("sha256").update(key).digest();
    let found: Owner | undefined;
    // compares all of them, so that the time reveals nothing
    for (const owner of this.#owners) if (timingSafeEqual(owner.hash, given)) found = owner;
    if (!found) throw new CpcError("unauthorized", "the server does not know this key");
    return found;
  }

  #tokenOwner(token: string): string {
    const [, claims = "", signature = ""] = TOKEN.exec(token) ?? [];
    const given = Buffer.from(signature, "base64url");
    const wanted = this.#sign(claims);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      throw new CpcError("unauthorized", "this token was not made by this server");
    }
    // it is signed, so it is ours
    const { name, until } = JSON.parse(Buffer.from(claims, "base64url").toString());
    if (until <= this.#nowMs()) {
      throw new CpcError(
        "unauthorized",
        "this token has expired; ask for another with POST /v1/tokens",
      );
    }
    return name;
  }

  #owner(name: string): Owner | undefined {
    return this.#owners.find((owner) => owner.name === name);
  }

  #sign(claims: string): Buffer {
    return createHmac("sha256", this.#secret).update(claims).digest();
  }
}
