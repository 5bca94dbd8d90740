/** Named keys with quotas, and the short-lived tokens that stand for them. */
import { Buffer } from "node:buffer";
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { CpcError } from "../errors.ts";
import type { ApiKey } from "../config/keys.ts";
import { type Rates, RequestRates } from "./rates.ts";

/** Longest life of a token: an hour. */
export const TOKEN_SECONDS = { min: 1, max: 3600, fallback: 60 } as const;
const TOKEN_PREFIX = "cpct_";
const TOKEN = /^cpct_([\w-]+)\.([\w-]+)$/;
/** What a token says: whose key it stands for, and until when, in milliseconds since 1970. */
const claimsSchema = z.object({ name: z.string(), until: z.number() });

/** A quota of requests, and what is left of it. */
export interface Quota {
  readonly perMinute: number;
  readonly left: number;
  /** Above 0 for a request that has to wait. */
  readonly retryAfterMs: number;
}

interface Owner extends ApiKey {
  readonly hash: Buffer;
}

/** What a change of the keys has changed, by name. */
export interface KeysChange {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Those with another hash, quota or right than before. */
  readonly changed: readonly string[];
}

/** The keys of a server. Stored and compared as SHA-256 hashes. */
export class Keys {
  #byName: ReadonlyMap<string, Owner> = new Map();
  /** By {@linkcode placeOf} of their hashes. */
  #byPlace: ReadonlyMap<string, Owner> = new Map();
  readonly #secret: Uint8Array;
  readonly #placeSecret = randomBytes(32);
  readonly #rates: Rates;
  readonly #dateMs: () => number;

  /**
   * @param options `secret`: signs tokens (by default they end with this process); `rates`: counts
   *   requests; `nowMs`: a clock that only runs forward, for quotas; `dateMs`: the time of day, for
   *   tokens (tests bring their own)
   */
  constructor(
    keys: readonly ApiKey[],
    {
      secret = randomBytes(32),
      nowMs = () => performance.now(),
      rates = new RequestRates(nowMs),
      dateMs = Date.now,
    }: {
      secret?: Uint8Array;
      rates?: Rates;
      nowMs?: () => number;
      dateMs?: () => number;
    } = {},
  ) {
    this.#secret = secret;
    this.#rates = rates;
    this.#dateMs = dateMs;
    this.replace(keys);
  }

  /** Puts other keys in place of these. What a name has left of its quota stays. */
  replace(keys: readonly ApiKey[]): KeysChange {
    const before = this.#byName;
    const owners = keys.map((key): Owner => ({
      ...key,
      hash: Buffer.from(key.sha256, "hex"),
    }));
    this.#byName = new Map(owners.map((owner) => [owner.name, owner]));
    this.#byPlace = new Map(owners.map((owner) => [this.#placeOf(owner.hash), owner]));
    return {
      added: keys.filter(({ name }) => !before.has(name)).map(({ name }) => name),
      removed: [...before.keys()].filter((name) => !this.#byName.has(name)),
      changed: keys.filter((key) => differs(before.get(key.name), key)).map(({ name }) => name),
    };
  }

  /** Number of keys. */
  get size(): number {
    return this.#byName.size;
  }

  /** Names of those that may use the admin routes. */
  get admins(): string[] {
    return [...this.#byName.values()].filter(({ admin }) => admin).map(({ name }) => name);
  }

  /**
   * The name of the owner of a key or token: "" on a server without keys.
   *
   * @param options `tokens`: false where only a key will do
   * @throws {CpcError} `unauthorized` when it is missing, wrong or expired
   */
  ownerOf(key: string | undefined, { tokens = true }: { tokens?: boolean } = {}): string {
    if (this.#byName.size === 0) return "";
    if (key === undefined) {
      throw new CpcError(
        "unauthorized",
        "this server requires a key: send Authorization: Bearer KEY, or the WebSocket " +
          "subprotocol bearer.KEY",
      );
    }
    const owner = this.#keyOwner(key); // first: a key may look like a token
    if (owner) return owner.name;
    if (!key.startsWith(TOKEN_PREFIX)) throw unknownKey();
    const name = this.#tokenOwner(key);
    if (!tokens) throw new CpcError("unauthorized", "this route takes a key, not a token");
    return name;
  }

  /** Whether an owner may use the admin routes. */
  isAdmin(name: string): boolean {
    return this.#owner(name)?.admin ?? false;
  }

  /** Most streams at once of an owner; none for one whose key has just been taken away. */
  maxStreamsOf(name: string): number {
    return this.#owner(name)?.maxStreams ?? (this.size > 0 ? 0 : Infinity);
  }

  /**
   * Counts a request of an owner.
   *
   * @returns what is left of the quota; undefined for an owner without one
   */
  async spend(name: string): Promise<Quota | undefined> {
    const { requestsPerMinute: perMinute = Infinity } = this.#owner(name) ?? {};
    if (perMinute === Infinity) return undefined;
    const left = await this.#rates.spend(name, perMinute);
    return { perMinute, left: Math.max(0, Math.floor(left)), retryAfterMs: Math.max(0, -left) };
  }

  /**
   * A token that replaces a key for a while, so that a page need not hold the key.
   *
   * @param key the key itself, since a token cannot make tokens
   * @throws {CpcError} `unauthorized` for anything but a key; `no_keys` on a server without
   *   keys
   */
  issueToken(key: string | undefined, seconds: number): { token: string; expiresAt: Date } {
    if (this.#byName.size === 0) {
      throw new CpcError("no_keys", "this server has no keys, so it needs no tokens");
    }
    const owner = this.#keyOwner(key ?? "");
    if (!owner) throw unknownKey();
    const { name } = owner;
    const expiresAt = new Date(this.#dateMs() + seconds * 1000);
    const said: z.infer<typeof claimsSchema> = { name, until: expiresAt.getTime() };
    const claims = Buffer.from(JSON.stringify(said)).toString("base64url");
    return {
      token: `${TOKEN_PREFIX}${claims}.${this.#sign(claims).toString("base64url")}`,
      expiresAt,
    };
  }

  #keyOwner(key: string): Owner | undefined {
    const given = createHash("sha256").update(key).digest();
    const found = this.#byPlace.get(this.#placeOf(given));
    return found && timingSafeEqual(found.hash, given) ? found : undefined;
  }

  /**
   * Where a hash is looked up. Nobody outside can tell which keys lie close together, so the time
   * of a look-up reveals nothing about any of them.
   */
  #placeOf(hash: Buffer): string {
    return createHmac("sha256", this.#placeSecret).update(hash).digest("base64");
  }

  #tokenOwner(token: string): string {
    const [, claims = "", signature = ""] = TOKEN.exec(token) ?? [];
    const given = Buffer.from(signature, "base64url");
    const wanted = this.#sign(claims);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      throw new CpcError("unauthorized", "this token was not made by this server");
    }
    const text = Buffer.from(claims, "base64url").toString();
    const { name, until } = claimsSchema.parse(JSON.parse(text)); // it is signed, so it is ours
    if (until <= this.#dateMs()) {
      throw new CpcError(
        "unauthorized",
        "this token has expired; ask for another with POST /v1/tokens",
      );
    }
    if (!this.#byName.has(name)) throw unknownKey(); // it was taken away
    return name;
  }

  #owner(name: string): Owner | undefined {
    return this.#byName.get(name);
  }

  #sign(claims: string): Buffer {
    return createHmac("sha256", this.#secret).update(claims).digest();
  }
}

function differs(before: ApiKey | undefined, after: ApiKey): boolean {
  return before !== undefined &&
    (before.sha256.toLowerCase() !== after.sha256.toLowerCase() ||
      before.maxStreams !== after.maxStreams ||
      before.requestsPerMinute !== after.requestsPerMinute ||
      (before.admin ?? false) !== (after.admin ?? false));
}

function unknownKey(): CpcError {
  return new CpcError("unauthorized", "the server does not know this key");
}
