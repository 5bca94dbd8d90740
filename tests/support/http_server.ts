/** The application of a test on a socket, for clients that say anything byte by byte. */
import { connect, type Socket } from "node:net";
import { listen } from "../../routes/server.ts";
import { type TestServer, withServer } from "./server.ts";

/**
 * How long the adaptor waits for the rest of a body after its answer, even if its client is gone.
 */
const ADAPTOR_MS = 500;

/** Options of a server that tests run on a free port, without keys. */
export const LISTEN = {
  host: "127.0.0.1",
  port: 0,
  maxMessageBytes: 1024,
  allowOrigins: [],
  knownHost: () => true,
  sockets: { open: 8, closing: 8 },
  onDeaf: () => {},
};

/** A request as it goes out, and its answer as it comes. */
export interface RawRequest {
  readonly socket: Socket;
  /** Everything that came, once it matches or the connection has ended. */
  heard(until: RegExp): Promise<string>;
}

/** Runs a test with a server on a socket. */
export async function withHttpServer(
  use: (
    request: (...parts: (string | Uint8Array)[]) => RawRequest,
    server: TestServer & { readonly url: string },
  ) => Promise<void>,
  options: Parameters<typeof withServer>[1] = {},
): Promise<void> {
  await withServer(async (server) => {
    const running = await listen((request, env) => server.app.fetch(request, env as object), {
      ...LISTEN,
      maxMessageBytes: 1000,
      sockets: { open: 100, closing: 48 },
    });
    try {
      await use((...parts) => rawRequest(running.port, parts), { ...server, url: running.url });
    } finally {
      await running.close(0);
      // timers end in the order in which they are due: the adaptor's, begun within two turns, first
      for (const ms of [0, 0, 0, ADAPTOR_MS]) {
        await new Promise((resolve) => setTimeout(resolve, ms));
      }
    }
  }, options);
}

function rawRequest(port: number, parts: readonly (string | Uint8Array)[]): RawRequest {
  const socket = connect(port, "127.0.0.1");
  socket.setEncoding("latin1");
  let [came, ended] = ["", false];
  let changed = Promise.withResolvers<void>();
  const wake = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  socket.on("data", (text) => {
    came += text;
    wake();
  });
  socket.on("error", () => {}); // `close` follows
  socket.on("close", () => {
    ended = true;
    wake();
  });
  for (const part of parts) socket.write(part);
  return {
    socket,
    async heard(until) {
      while (!ended && !until.test(came)) await changed.promise;
      return came;
    },
  };
}

/** The head of a request. */
export function requestHead(path: string, lines: readonly string[], version = "1.1"): string {
  return [`POST ${path} HTTP/${version}`, "Host: localhost", ...lines, "", ""].join("\r\n");
}
