/**
 * `GET /v1/stream`: the WebSocket route. Every handshake is upgraded, and refusals go out as
 * messages (streaming/connection.ts).
 */
import type { IncomingMessage } from "node:http";
import { upgradeWebSocket } from "@hono/node-server";
import type { Context, Hono, MiddlewareHandler } from "hono";
// @ts-types="@types/ws"
import type { WebSocket } from "ws";
import type { HostClaim } from "./hosts.ts";
import { CpcError } from "../errors.ts";
import { Connection } from "../streaming/connection.ts";
import type { Hub } from "../streaming/hub.ts";
import type { Wire } from "../streaming/wire.ts";
import { handshakeKey } from "./auth.ts";
import { endsOf } from "./context.ts";
import { Reading } from "./reading.ts";
import { idOfConnection } from "./request_id.ts";

const ROUTE = "/v1/stream";
/** The subprotocol of the stream. */
export const SUBPROTOCOL = "cpc.v1";
/** How long a client may take to answer a close before the server cuts its socket. */
const CLOSE_TIMEOUT_MS = 5_000;
/** One for all: to make one takes longer than to decode a short message. */
const utf8 = new TextDecoder();

/** What the route needs from the server. */
export interface StreamRouteOptions {
  readonly hub: Hub;
  /** Origins that browsers may connect from. */
  readonly allowedOrigin: (origin: string, host: string | undefined) => boolean;
  /** The name of a key's owner. @throws {CpcError} `unauthorized` */
  readonly ownerOf: (key: string | undefined) => string;
}

/** Handlers of the route, in order: origin, upgrade, refusal of plain requests. */
export function streamHandlers(
  { hub, allowedOrigin, ownerOf }: StreamRouteOptions,
): [MiddlewareHandler, MiddlewareHandler, (c: Context) => never] {
  const checkOrigin: MiddlewareHandler = async (c, next) => {
    const origin = c.req.header("origin");
    if (origin !== undefined && !allowedOrigin(origin, c.req.header("host"))) {
      throw new CpcError(
        "origin_not_allowed",
        `origin ${origin} may not open streams; --allow-origin lists those that may`,
      );
    }
    await next();
  };
  const accepted = upgradeWebSocket((c) => ({
    onOpen(_event, { raw }) {
      if (raw) accept(raw as WebSocket, c, { hub, ownerOf });
    },
  }));
  const upgrade: MiddlewareHandler = (c, next) => isUpgrading(c) ? accepted(c, next) : next();
  const refuse = (c: Context): never => {
    c.header("upgrade", "websocket");
    throw new CpcError(
      "upgrade_required",
      "GET /v1/stream is a WebSocket: connect with a WebSocket client, see docs/protocol.md",
    );
  };
  return [checkOrigin, upgrade, refuse];
}

/** What is looked at of a request that may be a handshake. */
type Handshake = Pick<IncomingMessage, "method" | "url" | "headers" | "headersDistinct"> & {
  readonly socket: Pick<IncomingMessage["socket"], "localAddress">;
};

/**
 * Whether a request is a handshake that leaves HTTP. HTTP answers all others, with a body: other
 * routes, hosts and origins that are not allowed, other upgrades (such as curl's to h2c).
 */
export function isHandshake(
  { method, url = "", headers, headersDistinct, socket }: Handshake,
  { allowedOrigin, knownHost }: {
    allowedOrigin: StreamRouteOptions["allowedOrigin"];
    knownHost: (claim: HostClaim) => boolean;
  },
): boolean {
  const { upgrade, origin } = headers;
  const host = headersDistinct.host?.join(", "); // `headers` hides a second one
  return method === "GET" && url.split("?")[0] === ROUTE &&
    upgrade?.toLowerCase() === "websocket" &&
    host !== undefined && knownHost({ host, localAddress: socket.localAddress }) &&
    (origin === undefined || allowedOrigin(origin, host));
}

/** Whether a request leaves HTTP: the server then gives it no response to write to. */
function isUpgrading({ env }: Context): boolean {
  const { incoming, outgoing } = (env ?? {}) as { incoming?: unknown; outgoing?: unknown };
  return incoming !== undefined && outgoing === undefined;
}

/** Mounts the route. */
export function mountStream(app: Pick<Hono, "get">, options: StreamRouteOptions): void {
  app.get(ROUTE, ...streamHandlers(options));
}

/** A socket as its connection sees it. It is cut if its client does not answer a close. */
function wireOf(
  socket: WebSocket,
  { address, reading }: { address: string | undefined; reading: Pick<Wire, "pause" | "resume"> },
): Wire {
  let cut: ReturnType<typeof setTimeout> | undefined;
  socket.on("close", () => clearTimeout(cut));
  return {
    address,
    get bufferedAmount() {
      return socket.bufferedAmount;
    },
    send: (data, sent) => socket.send(data, sent),
    close(code, reason) {
      socket.close(code, reason);
      cut = setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS);
    },
    ping: (data) => socket.ping(data),
    terminate: () => socket.terminate(),
    pause: () => reading.pause(),
    resume: () => reading.resume(),
  };
}

function accept(
  socket: WebSocket,
  c: Context,
  { hub, ownerOf }: Pick<StreamRouteOptions, "hub" | "ownerOf">,
): void {
  const { incoming } = c.env as { incoming: IncomingMessage }; // it came over a connection
  const reading = new Reading(socket, { bytes: incoming.socket });
  const wire = wireOf(socket, { address: endsOf(c).remoteAddress, reading });
  const handshake = { request: idOfConnection(c), headers: c.req.header() };
  let connection: Connection | undefined;
  socket.on("message", (data: Uint8Array, isBinary: boolean) => {
    connection?.receive(isBinary ? data : utf8.decode(data));
  });
  socket.on("pong", (data: Uint8Array) => connection?.pong(utf8.decode(data)));
  socket.on("close", (code: number) => connection?.closed({ clean: code === 1000 }));
  socket.on("error", () => {}); // `close` follows, with its code
  try {
    const owner = ownerOf(handshakeKey(c.req.raw.headers));
    connection = new Connection(wire, { hub, owner, ...handshake });
    void connection.start(new URL(c.req.url).searchParams);
  } catch (error) {
    new Connection(wire, { hub, owner: "", ...handshake }).fail(error);
  }
}
