/**
 * The listening server: node:http or https with hono and ws on it, from the first socket to the
 * last.
 */
import { createServer, type IncomingMessage, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { createAdaptorServer, getRequestListener } from "@hono/node-server";
// @ts-types="@types/ws"
import { WebSocketServer } from "ws";
import { addressError, addressUrl } from "../config/address.ts";
import { isTracing } from "../tracing.ts";
import { originCheck } from "./auth.ts";
import type { SocketBounds } from "./descriptors.ts";
import type { HostClaim } from "./hosts.ts";
import { Listener, type ListenerOptions } from "./listener.ts";
import { OpenSockets } from "./open_sockets.ts";
import { answerUnreadable } from "./refusals.ts";
import { refuseHandshake, requestIdLine, requestIdOf } from "./request_id.ts";
import { SmallChunks } from "./small_chunks.ts";
import { isHandshake, SUBPROTOCOL } from "./stream.ts";
import { TracedResponse } from "./traced_response.ts";

/** Where and how to listen. */
export interface ListenOptions
  extends Pick<ListenerOptions, "host" | "port" | "onDeaf" | "probeTimes"> {
  /** How many servers share the port; default 1. */
  readonly processes?: number;
  /** PEM texts; without them plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Longest WebSocket message, in bytes; a longer one closes its socket with 1009. */
  readonly maxMessageBytes: number;
  /** Other origins that browsers may open streams from. */
  readonly allowOrigins: readonly string[];
  /** Whether the server goes by a request's `Host`. */
  readonly knownHost: (claim: HostClaim) => boolean;
  /** How long a client may read nothing of an answer. */
  readonly slowReaderTimeoutS?: number;
  /** Most TCP connections at once. */
  readonly sockets: SocketBounds;
}

/** A server that listens. */
export interface RunningServer {
  /** `http://HOST:PORT` or `https://…` */
  readonly url: string;
  readonly port: number;
  /** Number of open TCP connections. */
  readonly sockets: number;
  /**
   * Resolves when no HTTP request is under way, or after `withinMs`; it takes new ones till then.
   */
  answered(withinMs: number): Promise<void>;
  /**
   * Takes no more connections. Resolves when the open ones have ended, or cuts them after
   * `graceMs`.
   */
  close(graceMs: number): Promise<void>;
}

/**
 * Starts listening.
 *
 * @param fetch the app's handler
 * @throws {UsageError} if it cannot listen on the address
 */
export async function listen(
  fetch: (request: Request, env: unknown) => Response | Promise<Response>,
  {
    host,
    port,
    processes = 1,
    tls,
    maxMessageBytes,
    allowOrigins,
    knownHost,
    slowReaderTimeoutS = 30,
    sockets: { open, closing: mostClosing },
    onDeaf,
    probeTimes,
  }: ListenOptions,
): Promise<RunningServer> {
  const streams = new WebSocketServer({
    noServer: true,
    clientTracking: true,
    maxPayload: maxMessageBytes,
    // features do not compress, and a deflate context costs each connection 300 KB
    perMessageDeflate: false,
    handleProtocols: (offered) => offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false,
  });
  streams.on("headers", (lines, request) => void lines.push(requestIdLine(request)));
  streams.on("wsClientError", (error, socket, request) => {
    refuseHandshake(error, { socket, request });
  });
  const allowedOrigin = originCheck(allowOrigins);
  const sockets = new OpenSockets({
    most: open,
    tls: tls !== undefined,
    stallMs: slowReaderTimeoutS * 1000,
  });
  streams.on("connection", (_stream, { socket }: IncomingMessage) => sockets.upgraded(socket));
  const answers: { ServerResponse?: typeof ServerResponse } = isTracing
    ? { ServerResponse: TracedResponse }
    : {};
  const server = createAdaptorServer({
    fetch,
    overrideGlobalObjects: false,
    websocket: { server: streams },
    ...(tls ? { createServer: createTlsServer } : { createServer }),
    serverOptions: {
      ...tls,
      ...answers,
      shouldUpgradeCallback(request: IncomingMessage) {
        const is = isHandshake(request, { allowedOrigin, knownHost });
        if (is) {
          sockets.shakesHands(request.socket);
          requestIdOf(request); // before the app sees it
        }
        return is;
      },
    },
  });
  // its own listener answers what it cannot read without a word; that of `upgrade` stays, since it
  // answers a handshake that fails only while it is alone
  server.removeAllListeners("request");
  // a listener that is closed to listen again emits `close` too; the adaptor would then end all
  // handshakes
  server.removeAllListeners("close");
  const respond = getRequestListener(fetch, {
    overrideGlobalObjects: false,
    errorHandler: answerUnreadable,
  });
  const take = oneByOne((request, answer) => {
    if (answer instanceof TracedResponse) answer.begin();
    if (request.headers.host === undefined && request.url?.startsWith("/")) {
      // HTTP/1.0, as load balancers probe; the adaptor takes a URL without a Host if it is whole
      request.url = `http://localhost${request.url}`;
    }
    respond(request, answer);
  });
  const smallChunks = new SmallChunks();
  const onRequest = (request: IncomingMessage, answer: ServerResponse) => {
    const answered = sockets.spoke(request.socket);
    if (!answered) return;
    answer.once("close", () => answered(request.complete));
    smallChunks.watch(request);
    take(request, answer);
  };
  server.on("request", onRequest);
  server.on("checkExpectation", onRequest); // else node:http answers by itself
  const listener = await Listener.open(server, {
    host,
    port,
    processes,
    sockets,
    onTick: () => smallChunks.tick(),
    mostClosing,
    onDeaf,
    probeTimes,
  }).catch((error: NodeJS.ErrnoException) => {
    throw addressError(error, { host, port });
  });
  return {
    url: addressUrl(listener.address, { tls: tls !== undefined }),
    port: listener.address.port,
    get sockets() {
      return sockets.size;
    },
    async answered(withinMs) {
      let late: ReturnType<typeof setTimeout> | undefined;
      const over = new Promise<void>((resolve) => late = setTimeout(resolve, withinMs));
      await Promise.race([sockets.answered(), over]);
      clearTimeout(late);
    },
    async close(graceMs) {
      listener.stop();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      if ("closeIdleConnections" in server) server.closeIdleConnections();
      const cut = setTimeout(() => {
        for (const socket of streams.clients) socket.terminate();
        if ("closeAllConnections" in server) server.closeAllConnections();
      }, graceMs);
      await closed;
      clearTimeout(cut);
    },
  };
}

/**
 * Takes up each request of a connection after the answer to the one before: node:http gives them as
 * they come.
 */
function oneByOne(
  take: (request: IncomingMessage, answer: ServerResponse) => void,
): (request: IncomingMessage, answer: ServerResponse) => void {
  /** The latest request of each connection, until it is answered. */
  const latest = new WeakMap<Socket, ServerResponse>();
  return (request, answer) => {
    const { socket } = request;
    const before = latest.get(socket);
    latest.set(socket, answer);
    answer.once("close", () => {
      if (latest.get(socket) === answer) latest.delete(socket);
    });
    if (!before) return take(request, answer);
    before.once("close", () => {
      if (!socket.destroyed) take(request, answer);
    });
  };
}
