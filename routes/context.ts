/** What every route gets. */
import type { IncomingMessage } from "node:http";
import type { Context } from "hono";
import { CpcError } from "../errors.ts";
import type { ServerConfig } from "../config/server.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { type EnginePool, restarting } from "../inference/pool.ts";
import type { MemoryBudget } from "../recordings/memory_budget.ts";

declare module "hono" {
  interface ContextVariableMap {
    /** Name of the request's key; undefined without keys. */
    owner?: string;
  }
}

/** The two ends of a request's connection; undefined where it came over none, as in a test. */
export function endsOf({ env }: Pick<Context, "env">): {
  readonly remoteAddress?: string;
  readonly localAddress?: string;
} {
  const { incoming } = (env ?? {}) as { incoming?: IncomingMessage };
  return incoming?.socket ?? {};
}

/** The server's parts and its phase. */
export interface ServerContext {
  readonly config: ServerConfig;
  readonly pool: EnginePool;
  readonly log: Log;
  readonly metrics: Metrics;
  /** What all REST requests hold together. */
  readonly requestMemory: MemoryBudget;
  /** `serving` once the models are loaded; `draining` once a stop was requested. */
  phase: "loading" | "serving" | "draining";
}

/**
 * Refuses a request unless the server is serving.
 *
 * @throws {CpcError} `loading`, `draining`
 */
export function mustServe({ phase }: Pick<ServerContext, "phase">): void {
  if (phase === "serving") return;
  const why = phase === "loading" ? "the models are loading" : "the server is stopping";
  throw new CpcError(phase, why, { retryAfterMs: 1000 });
}

/**
 * Refuses a request unless the server is serving and some model worker is there.
 *
 * @throws {CpcError} `loading`, `draining`
 */
export function mustBeReady(ctx: Pick<ServerContext, "phase" | "pool">): void {
  mustServe(ctx);
  if (ctx.pool.alive === 0) throw restarting();
}
