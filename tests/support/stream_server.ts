/**
 * A real server for stream tests: a port, the route, the hub with a clock that the test moves, one
 * worker, a tiny model.
 */
import { setImmediate } from "node:timers";
import { Hono } from "hono";
import { CpcError, toCpcError } from "../../errors.ts";
import { modelConfigSchema } from "../../model/architecture.ts";
import type { Keys } from "../../routes/keys.ts";
import { listen } from "../../routes/server.ts";
import { mountStream } from "../../routes/stream.ts";
import { Hub } from "../../streaming/hub.ts";
import { type StreamLimits, streamLimits } from "../../streaming/protocol/limits.ts";
import { EnginePool } from "../../inference/pool.ts";
import { serverConfigOf } from "./config.ts";
import type { Weights } from "../../model/weights.ts";
import type { ResumeStore } from "../../streaming/session/resume_store.ts";
import { randomWeights, tinyConfig } from "./models.ts";
import { type ConnectOptions, StreamClient } from "./stream_client.ts";

/** The tiny model's weights. */
export const tiny = randomWeights(tinyConfig, 9, "tiny");
/** The same encoder without predictors. */
export const plain = randomWeights(
  modelConfigSchema.parse({ ...tinyConfig, predictors: null }),
  10,
  "plain",
);
/** The tiny model's widths. */
export const WIDTHS = { C: 6, Z: 8 } as const;

/** What a test holds of it. */
export interface StreamServer {
  readonly url: string;
  readonly port: number;
  readonly hub: Hub;
  readonly pool: EnginePool;
  /** Codes of errors that streams ended in. */
  readonly errors: string[];
  /** Streams so far. */
  readonly counts: { readonly opened: number; readonly ended: number };
  /** Each time: whether the store works. */
  readonly storeSaid: readonly boolean[];
  /** Moves the clock and lets time do its work, which is done at once unless it is a lot. */
  pass(seconds: number): Promise<void>;
  /** Waits until the server has seen the end of every socket. */
  settled(): Promise<void>;
  connect(query?: string, options?: ConnectOptions): StreamClient;
}

/** The bounds of its streams, where a test names none. */
export const LIMITS: StreamLimits = streamLimits(
  serverConfigOf(["--max-streams", "8", "--backlog-warning", "5", "--max-kept-sessions", "16"]),
  () => Infinity,
);

/**
 * Runs a test against a server and stops it.
 *
 * @param options `store`: where its sessions wait for a resume; `keys`: keys of the form `key-NAME`
 *   are good and belong to NAME, or whatever a table of keys says; `tls`: PEM texts;
 *   `secondsPerHop`: what a hop of a stream is said to cost
 */
export async function withServer(
  options: {
    limits?: Partial<StreamLimits>;
    keys?: boolean | Keys;
    tls?: { cert: string; key: string };
    secondsPerHop?: (model: string) => number;
    store?: (pool: EnginePool, nowMs: () => number) => Promise<ResumeStore>;
    models?: readonly Weights[];
  },
  use: (server: StreamServer) => Promise<void>,
): Promise<void> {
  const pool = await EnginePool.start({
    models: options.models ?? [tiny, plain],
    engine: "onnx",
    device: "cpu",
    precision: "fp32",
    workers: 1,
    maxStreams: 16,
  });
  const errors: string[] = [];
  const counts = { opened: 0, ended: 0 };
  const storeSaid: boolean[] = [];
  const nothing = () => {};
  let now = 1_000_000;
  const store = await options.store?.(pool, () => now);
  const hub = new Hub(pool, {
    limits: { ...LIMITS, ...options.limits },
    metrics: {
      audioReceived: nothing,
      framesSent: nothing,
      frameSentAfter: nothing,
      lagged: nothing,
      resumed: nothing,
      streamsOpened: (count) => counts.opened += count,
      streamsEnded: (count) => counts.ended += count,
      closed: nothing,
      errored: (code) => errors.push(code),
    },
    onError: nothing,
    onStore: (works) => storeSaid.push(works),
    ...(store && { store }),
    nowMs: () => now,
    // tests of admission apart, the machine's load refuses nobody
    secondsPerHop: options.secondsPerHop ?? (() => 1e-6),
  });
  const app = new Hono();
  app.onError((thrown, c) => {
    const { code, http } = toCpcError(thrown);
    return c.json({ error: { code } }, http as 400);
  });
  mountStream(app, {
    hub,
    allowedOrigin: (origin) => origin === "http://friend.example",
    ownerOf: (key) => {
      if (!options.keys) return "";
      if (options.keys !== true) return options.keys.ownerOf(key);
      if (key?.startsWith("key-")) return key.slice(4);
      throw new CpcError("unauthorized", "the server does not know this key");
    },
  });
  const { maxMessageBytes } = hub.limits;
  const server = await listen((request, env) => app.fetch(request, env as object), {
    host: "127.0.0.1",
    port: 0,
    maxMessageBytes,
    tls: options.tls,
    allowOrigins: ["http://friend.example"],
    knownHost: () => true,
    sockets: { open: 1000, closing: 48 },
    onDeaf: ({ error }) => {
      throw new Error("the server stopped accepting", { cause: error });
    },
  });
  const clients: StreamClient[] = [];
  try {
    await use({
      url: server.url,
      port: server.port,
      hub,
      pool,
      errors,
      counts,
      storeSaid,
      pass(seconds) {
        now += seconds * 1000;
        return hub.tick();
      },
      async settled() {
        while (hub.size > 0) await new Promise((resolve) => setImmediate(resolve));
      },
      connect(query, rest) {
        const client = new StreamClient(server.url, { query, ...rest });
        clients.push(client);
        return client;
      },
    });
  } finally {
    for (const client of clients) if (client.closeCode === undefined) await client.terminate();
    await hub.drain(1000);
    await hub.store.close();
    await server.close(100);
    await pool.close();
  }
}
