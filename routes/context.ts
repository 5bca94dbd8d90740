/** What every route gets. */
import { CpcError } from "../errors.ts";
import type { ServerConfig } from "../config/server.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { EnginePool } from "../inference/pool.ts";

/** The server's parts and its phase. */
export interface ServerContext {
  readonly config: ServerConfig;
  readonly pool: EnginePool;
  readonly log: Log;
  readonly metrics: Metrics;
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
