/**
 * What keeps a stored session secret. Its records are sealed (AES-256-GCM) under a random key, and
 * that key is stored only sealed under keys that come from the client's tokens. So a new token
 * needs no new records, and whoever holds the store alone can read nothing.
 */
import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from "node:crypto";

const ALGORITHM = "aes-256-gcm";
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const LOCATOR_BYTES = 16;
const IVS_AT_ONCE = 256;
const TOKEN = /^[\w-]{64}$/;

let unused: Uint8Array = new Uint8Array(0);

/** What follows from a token. */
export interface TokenParts {
  /** Names the session among others of its client; the same in all tokens of a session. */
  readonly locator: Buffer;
  /** The session's name in the store. */
  readonly id: string;
  /** The token's name in the store. */
  readonly hash: string;
  /** Seals the key of the records. */
  readonly key: Buffer;
}

/** A new token. @param locator of its session; a random one by default */
export function newToken(locator: Uint8Array = randomBytes(LOCATOR_BYTES)): string {
  return Buffer.concat([locator, randomBytes(KEY_BYTES)]).toString("base64url");
}

/** A new key for records. */
export function newKey(): Uint8Array {
  return randomBytes(KEY_BYTES);
}

/** Takes a token apart; undefined for what cannot be one. */
export function partsOf(token: string): TokenParts | undefined {
  if (!TOKEN.test(token)) return undefined;
  const bytes = Buffer.from(token, "base64url");
  const locator = bytes.subarray(0, LOCATOR_BYTES);
  return {
    locator,
    id: nameOf(locator),
    hash: nameOf(bytes),
    key: Buffer.from(hkdfSync("sha256", bytes, "", "cpc-stream resume", KEY_BYTES)),
  };
}

/** Seals bytes. @param about what they are and belong to; needed to open them */
export function seal(key: Uint8Array, about: string, bytes: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(IV_BYTES + bytes.length + TAG_BYTES);
  const iv = nextIv();
  const cipher = createCipheriv(ALGORITHM, key, iv);
  cipher.setAAD(Buffer.from(about));
  sealed.set(iv);
  sealed.set(cipher.update(bytes), IV_BYTES);
  cipher.final(); // a stream cipher holds nothing back
  sealed.set(cipher.getAuthTag(), IV_BYTES + bytes.length);
  return sealed;
}

/** Random bytes that no one has used; drawn for many at once, since each draw has its price. */
function nextIv(): Uint8Array {
  if (unused.length === 0) unused = randomBytes(IV_BYTES * IVS_AT_ONCE);
  const iv = unused.subarray(0, IV_BYTES);
  unused = unused.subarray(IV_BYTES);
  return iv;
}

/** Opens what {@linkcode seal} sealed. @throws if it was changed, or is about something else */
export function unseal(key: Uint8Array, about: string, sealed: Uint8Array): Uint8Array {
  const end = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(0, IV_BYTES));
  decipher.setAAD(Buffer.from(about));
  decipher.setAuthTag(sealed.subarray(end));
  return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, end)), decipher.final()]);
}

function nameOf(secret: Uint8Array): string {
  return createHash("sha256").update(secret).digest("base64url").slice(0, 22);
}
