/** Who may call: keys, compared in constant time, and web origins. */
import { createHash, timingSafeEqual } from "node:crypto";
import { CpcError } from "../errors.ts";

/** The keys of a server. */
export class Keys {
  readonly #hashes: readonly Buffer[];

  constructor(keys: readonly string[]) {
    this.#hashes = keys.map(hash);
  }

  /**
   * The name of a key's owner: "" on a server without keys.
   *
   * @throws {CpcError} `unauthorized` for a missing or wrong key
   */
  ownerOf(key: string | undefined): string {
    if (this.#hashes.length === 0) return "";
    if (key === undefined) {
      throw new CpcError(
        "unauthorized",
        "this server needs a key: send Authorization: Bearer KEY, or the WebSocket subprotocol bearer.KEY",
      );
    }
    const given = hash(key);
    let owner: string | undefined;
    this.#hashes.forEach((known, i) => { // all of them are compared, so that the time tells nothing
      if (timingSafeEqual(known, given)) owner = `key${i + 1}`;
    });
    if (owner === undefined) throw new CpcError("unauthorized", "this key is not known to the server");
    return owner;
  }
}

/** The key of an `Authorization: Bearer` header. */
export function bearerKey(header: string | undefined): string | undefined {
  return /^Bearer\s+(\S+)\s*$/i.exec(header ?? "")?.[1];
}

/** Whether a page of this origin may connect: the server's own, or one that was named. */
export function originCheck(allowed: readonly string[]): (origin: string, host: string | undefined) => boolean {
  return (origin, host) => allowed.includes(origin) || (host !== undefined && URL.parse(origin)?.host === host);
}

function hash(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
