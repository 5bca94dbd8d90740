/** Ids that follow a request through answers and logs. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
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
