/**
 * The listening server: node:http or https with hono and ws on it, from the first socket to the
 * last.
 */
import { createServer, type IncomingMessage } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
// @ts-types="@types/ws"
import { WebSocketServer } from "ws";
import { UsageError } from "../errors.ts";
import { originCheck } from "./auth.ts";
import { isHandshake, SUBPROTOCOL } from "./stream.ts";

/** Where and how to listen. */
export interface ListenOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** PEM texts; without them plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Longest WebSocket message, in bytes; a longer one closes its socket with 1009. */
  readonly maxMessageBytes: number;
  /** Other origins that browsers may open streams from. */
  readonly allowOrigins: readonly string[];
}

/** A server that listens. */
export interface RunningServer {
  /** `http://HOST:PORT` or `https://…` */
  readonly url: string;
  readonly port: number;
  /**
   * Takes no more connections; resolves when the open ones have ended, or `graceMs` later after
   * cutting them.
   */
  close(graceMs: number): Promise<void>;
}

/**
 * Listens.
 *
 * @param fetch the app's handler
 * @throws {UsageError} when the address cannot be listened on
 */
export async function listen(
  fetch: (request: Request, env: unknown) => Response | Promise<Response>,
  { host, port, tls, maxMessageBytes, allowOrigins }: ListenOptions,
): Promise<RunningServer> {
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: true,
    maxPayload: maxMessageBytes,
    // features do not compress, and each deflate context costs a connection 300 KB
    perMessageDeflate: false,
    handleProtocols: (offered) => offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false,
  });
  const allowedOrigin = originCheck(allowOrigins);
  const server = createAdaptorServer({
    fetch,
    overrideGlobalObjects: false,
    websocket: { server: sockets },
    ...(tls ? { createServer: createTlsServer } : { createServer }),
    serverOptions: {
      ...tls,
      shouldUpgradeCallback: (request: IncomingMessage) => isHandshake(request, { allowedOrigin }),
    },
  });
  await new Promise<void>((resolve, reject) => {
    server.once(
      "error",
      (error: NodeJS.ErrnoException) => reject(new UsageError(describe(error, { host, port }))),
    );
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return {
    url: `${tls ? "https" : "http"}://${name}:${address.port}`,
    port: address.port,
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      if ("closeIdleConnections" in server) server.closeIdleConnections();
      const timer = setTimeout(() => {
        for (const socket of sockets.clients) socket.terminate();
        if ("closeAllConnections" in server) server.closeAllConnections();
      }, graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

function describe(
  error: NodeJS.ErrnoException,
  { host, port }: { host: string; port: number },
): string {
  switch (error.code) {
    case "EADDRINUSE":
      return `port ${port} of ${host} is in use; choose another with --port`;
    case "EACCES":
      return `no permission to listen on port ${port} of ${host}; choose one from 1024 up with --port`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `${host} is not an address of this machine; choose one with --host`;
    default:
      return `cannot listen on ${host}:${port}: ${error.message}`;
  }
}
