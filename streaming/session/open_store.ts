/** The store that a server's settings ask for, ready to use. */
import type { ServerConfig } from "../../config/server.ts";
import { fingerprintOf } from "../../inference/fingerprint.ts";
import type { EnginePool } from "../../inference/pool.ts";
import { openStore } from "../../stores/open.ts";
import { SharedResumeStore } from "./shared_resume_store.ts";

/**
 * Opens the store of `--store`.
 *
 * @returns undefined for sessions that stay in this process
 * @throws {UsageError} if it cannot be used
 */
export async function openResumeStore(
  { store: place, resumeWindowS, maxKeptSessions }: Pick<
    ServerConfig,
    "store" | "resumeWindowS" | "maxKeptSessions"
  >,
  pool: Pick<EnginePool, "models" | "engine" | "precision">,
): Promise<SharedResumeStore | undefined> {
  const store = await openStore(place);
  if (!store) return undefined;
  const models = new Map(
    [...pool.models].map(([id, { weights, layout }]) => [
      id,
      { layout, heads: weights.heads, fingerprint: fingerprintOf(weights, pool) },
    ]),
  );
  const shared = new SharedResumeStore(store, {
    resumeWindowS,
    maxKept: maxKeptSessions,
    outlives: true,
    model: (id) => models.get(id),
  });
  await shared.start();
  return shared;
}
