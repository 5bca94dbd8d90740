/** What the log says of a server that has begun to serve. */
import type { SettingInForce } from "../config/in_force.ts";
import { type MemoryPlan, shownBytes } from "../config/memory.ts";
import type { ServerConfig } from "../config/server.ts";
import type { EnginePool } from "../inference/pool.ts";
import type { Log } from "../log.ts";
import { isTracing } from "../tracing.ts";
import type { Keys } from "./keys.ts";

/** What there is to say. */
export interface Announced {
  readonly url: string;
  readonly pool: EnginePool;
  readonly memory: MemoryPlan;
  /** The bounds that were asked for. */
  readonly wanted: Pick<ServerConfig, "maxStreams" | "maxKeptSessions">;
  /** Where sessions are kept, if not in this process. */
  readonly store?: {
    readonly place: string;
    readonly works: boolean;
    /** Why it does not. */
    readonly problem: unknown;
  };
  /** Left out by all servers of a port but one, which have the same. */
  readonly settings?: Readonly<Record<string, SettingInForce>>;
  readonly keys: Pick<Keys, "size" | "admins">;
}

/** Says where and what the server serves, and what its operator should know about. */
export function announce(
  log: Log,
  { url, pool, memory, wanted, store, settings, keys }: Announced,
): void {
  if (store?.works) {
    log.info("sessions are kept outside of this process", { store: store.place });
  } else if (store) {
    const cause = String(store.problem);
    log.warn("the store of sessions does not answer yet", { store: store.place, cause });
  }
  const { engine, device, precision, backend, size: workers } = pool;
  const { maxStreams: streams, maxKeptSessions: kept_sessions } = memory;
  log.info("serving", {
    url,
    models: [...pool.models.keys()],
    engine,
    device,
    precision,
    ...backend,
    workers,
    ...headsOf(pool),
    memory: {
      budget: shownBytes(memory.budget, Math.floor),
      most: shownBytes(memory.total, Math.floor),
      streams,
      kept_sessions,
      requests: shownBytes(memory.requests),
    },
  });
  if (streams < wanted.maxStreams || kept_sessions < wanted.maxKeptSessions) {
    const why = "--memory-budget holds fewer streams or kept sessions than the bounds allow";
    log.warn(why, { streams, kept_sessions });
  }
  if (backend.warning) log.warn(backend.warning, { engine, device });
  if (Deno.env.has("OTEL_EXPORTER_OTLP_ENDPOINT") && !isTracing) {
    log.warn("OTEL_EXPORTER_OTLP_ENDPOINT is set, but no traces leave without OTEL_DENO=true");
  }
  if (settings) {
    log.info("settings in force", { settings, keys: { count: keys.size, admins: keys.admins } });
  }
}

/** What a row of each head takes, as measured at start. */
function headsOf(pool: EnginePool): { heads?: Record<string, string> } {
  const heads = [...pool.models.keys()].flatMap((model) =>
    Object.entries(pool.secondsPerRow(model)).map(([name, seconds]) => [
      `${model}/${name}`,
      `${(seconds * 1e6).toPrecision(2)} µs a row`,
    ])
  );
  return heads.length > 0 ? { heads: Object.fromEntries(heads) } : {};
}
