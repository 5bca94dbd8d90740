/** What every route is given. */
import { CpcError } from "../errors.ts";
import type { ServerConfig } from "../config/server.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { EnginePool } from "../inference/pool.ts";

/** The server's parts, and the state it is in. */
export interface ServerContext {
  readonly config: ServerConfig;
  readonly pool: EnginePool;
  readonly log: Log;
  readonly metrics: Metrics;
  /** `serving` after the models are loaded; `draining` once a stop was asked for. */
  phase: "loading" | "serving" | "draining";
}

/**
 * Refuses what only a serving server can do.
 *
 * @throws {CpcError} `loading`, `draining`
 */
export function mustServe({ phase }: Pick<ServerContext, "phase">): void {
  if (phase === "serving") return;
  const why = phase === "loading" ? "the models are being loaded" : "the server is stopping";
  throw new CpcError(phase, why, { retryAfterMs: 1000 });
}
