/** Ids that follow a request through answers and logs. */
import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Context } from "hono";

/** The header of a request and of its answer. */
const HEADER = "x-request-id";
/** Longest id that is taken from a client. */
export const REQUEST_ID_CHARACTERS = 128;

/** The id of a request: its client's if that is one, else a new one, which it has from then on. */
export function requestIdOf({ headers }: Pick<IncomingMessage, "headers">): string {
  const given = headers[HEADER];
  const isId = typeof given === "string" && /^[\w=-]+$/.test(given) &&
    given.length <= REQUEST_ID_CHARACTERS;
  const id = isId ? given : randomUUID();
  headers[HEADER] = id;
  return id;
}

/** The id of a request that Hono handles; undefined where it came over no connection. */
export function idOfConnection({ env }: Pick<Context, "env">): string | undefined {
  const { incoming } = (env ?? {}) as { incoming?: IncomingMessage };
  return incoming && requestIdOf(incoming);
}

/** The line of a handshake's answer that names it. */
export function requestIdLine(request: Pick<IncomingMessage, "headers">): string {
  return `X-Request-Id: ${requestIdOf(request)}`;
}

/** Answers a handshake that is no handshake of a WebSocket, and ends its connection. */
export function refuseHandshake(
  { message }: Error,
  { socket, request }: { socket: Duplex; request: Pick<IncomingMessage, "headers"> },
): void {
  const body = JSON.stringify({ error: { code: "invalid_message", message } });
  socket.once("finish", () => socket.destroy());
  socket.end([
    "HTTP/1.1 400 Bad Request",
    "Connection: close",
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Sec-WebSocket-Version: 13",
    requestIdLine(request),
    "",
    body,
  ].join("\r\n"));
}
