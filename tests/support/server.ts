/** The application with a real pool and a small model, without a socket. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { decoders, streamDecoders } from "../../audio/decode.ts";
import { LIMITS } from "../../config/limits.ts";
import { keysOf, serverConfig } from "../../config/server.ts";
import { Log } from "../../log.ts";
import { Metrics } from "../../metrics.ts";
import { MemoryBudget } from "../../recordings/memory_budget.ts";
import type { Weights } from "../../model/weights.ts";
import { type Administered, carryOut } from "../../routes/admin/carry_out.ts";
import { asker } from "../../routes/admin/commands.ts";
import type { AdminParts } from "../../routes/admin/mount.ts";
import { createApp } from "../../routes/app.ts";
import { Keys } from "../../routes/keys.ts";
import type { ServerContext } from "../../routes/context.ts";
import { workerEvents } from "../../routes/worker_events.ts";
import { Hub } from "../../streaming/hub.ts";
import { streamLimits } from "../../streaming/protocol/limits.ts";
import { EnginePool } from "../../inference/pool.ts";
import { settingsOf } from "./config.ts";
import { randomWeights, tinyConfig } from "./models.ts";

/** A server for a test. */
export interface TestServer {
  readonly app: OpenAPIHono;
  readonly ctx: ServerContext;
  readonly hub: Hub;
}

/** The models of a test server unless it brings its own: one with predictors, one without. */
export const TEST_MODELS: readonly Weights[] = [
  randomWeights(tinyConfig, 21, "tiny"),
  randomWeights({ ...tinyConfig, predictors: null }, 22, "mute"),
];

/** Runs a test with a server; everything is closed afterwards. */
export async function withServer(
  use: (server: TestServer) => Promise<void>,
  {
    flags = [],
    models = TEST_MODELS,
    requestMemoryBytes = LIMITS.requestMemoryBytes,
    startWorker,
    admin,
    log = new Log("silent"),
    modelsFolder = "no/such/folder",
    fitMemory = () => {},
    ...changes
  }: {
    flags?: string[];
    requestMemoryBytes?: number;
    models?: readonly Weights[];
    startWorker?: () => Worker;
    /** In place of its own parts. */
    admin?: Partial<AdminParts>;
    log?: Log;
    /** Where models can be loaded from. */
    modelsFolder?: string;
    fitMemory?: Administered["fitMemory"];
    nowMs?: () => number;
  } = {},
): Promise<void> {
  const settings = settingsOf(["--workers", "1", "--max-streams", "16", ...flags]);
  const config = serverConfig(settings);
  const metrics = new Metrics();
  const pool = await EnginePool.start({
    ...config,
    models,
    startWorker,
    onStep: (step) => metrics.stepTaken(step),
    events: workerEvents({ log, metrics }),
  });
  const keys = new Keys(config.apiKeys);
  const hub = new Hub(pool, {
    limits: streamLimits(config, (owner) => keys.maxStreamsOf(owner)),
    metrics,
    onError: () => {},
    ...changes,
  });
  metrics.workersAlive = () => pool.alive;
  const ctx: ServerContext = {
    config,
    pool,
    metrics,
    log,
    requestMemory: new MemoryBudget(requestMemoryBytes),
    phase: "serving",
  };
  const { apiKeysFile } = settings;
  const parts: Administered = {
    hub,
    pool,
    keys,
    keysOf: (text) => keysOf(settings, text),
    modelsFolder,
    fitMemory,
  };
  const ownAdmin: AdminParts = {
    askAll: asker((command) => carryOut(command, parts)),
    keysFile: apiKeysFile,
    drain: () => ctx.phase = "draining",
    drainTimeoutS: config.drainTimeoutS,
    settings: {},
  };
  try {
    await use({ app: createApp(ctx, { hub, keys, admin: { ...ownAdmin, ...admin } }), ctx, hub });
  } finally {
    await hub.drain(1000);
    decoders.close();
    streamDecoders.close();
    await pool.close();
  }
}

/** How a test WAV stores its samples. */
export interface WavOptions {
  readonly rate?: number;
  readonly channels?: number;
  /** Format tag: 1 PCM, 3 float. */
  readonly tag?: 1 | 3;
  readonly bits?: 8 | 16 | 24 | 32 | 64;
  readonly extensible?: boolean;
  /** Size written in the data chunk instead of the true one. */
  readonly claimed?: number;
}

/** A WAV file of interleaved floats. */
export function wav(samples: ArrayLike<number>, options: WavOptions = {}): Uint8Array<ArrayBuffer> {
  const { rate = 16_000, channels = 1, tag = 1, bits = 16, extensible = false, claimed } = options;
  const width = bits / 8;
  const fmt = extensible ? 40 : 16;
  const data = samples.length * width;
  const bytes = new Uint8Array(12 + 8 + fmt + 8 + data);
  const view = new DataView(bytes.buffer);
  const ascii = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
  ascii(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  ascii(8, "WAVEfmt ");
  view.setUint32(16, fmt, true);
  view.setUint16(20, extensible ? 0xfffe : tag, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * channels * width, true);
  view.setUint16(32, channels * width, true);
  view.setUint16(34, bits, true);
  if (extensible) {
    view.setUint16(36, 22, true);
    view.setUint16(38, bits, true);
    view.setUint16(44, tag, true);
    // rest of the sub-format's GUID
    bytes.set([0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71], 46);
  }
  ascii(20 + fmt, "data");
  view.setUint32(24 + fmt, claimed ?? data, true);
  for (let i = 0, at = 28 + fmt; i < samples.length; i++, at += width) {
    const x = samples[i];
    if (tag === 3) bits === 64 ? view.setFloat64(at, x, true) : view.setFloat32(at, x, true);
    else if (bits === 8) view.setUint8(at, x * 128 + 128);
    else if (bits === 16) view.setInt16(at, x * 32768, true);
    else if (bits === 24) {
      view.setUint16(at, x * 8388608, true);
      view.setInt8(at + 2, (x * 8388608) >> 16);
    } else view.setInt32(at, x * 2147483648, true);
  }
  return bytes;
}
