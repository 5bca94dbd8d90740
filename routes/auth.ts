/** Who sends a request: its key, and the origin of its page. */
import { Buffer } from "node:buffer";

/** The key of an `Authorization: Bearer` header. */
export function bearerKey(header: string | undefined): string | undefined {
  return /^Bearer\s+(\S+)\s*$/i.exec(header ?? "")?.[1];
}

/**
 * The key of a WebSocket handshake: the bearer header or, from browsers, a subprotocol
 * `bearer.KEY`. Subprotocols cannot hold `/`, `=` and other separators, so keys with those come as
 * `bearer64.` and the base64url of their UTF-8 bytes.
 */
export function handshakeKey(headers: Headers): string | undefined {
  const header = bearerKey(headers.get("authorization") ?? undefined);
  if (header !== undefined) return header;
  for (
    const name of (headers.get("sec-websocket-protocol") ?? "").split(",").map((name) =>
      name.trim()
    )
  ) {
    if (name.startsWith("bearer.")) return name.slice("bearer.".length);
    if (name.startsWith("bearer64.")) {
      return Buffer.from(name.slice("bearer64.".length), "base64url").toString();
    }
  }
}

/** Whether a page of this origin may connect: the server's own origin, or an allowed one. */
export function originCheck(
  allowed: readonly string[],
): (origin: string, host: string | undefined) => boolean {
  return (origin, host) =>
    allowed.includes(origin) || (host !== undefined && URL.parse(origin)?.host === host);
}
