/** The store that a server's settings ask for, ready to use. */
import type { ServerConfig } from "../../config/server.ts";
import { fingerprintOf } from "../../inference/fingerprint.ts";
import type { EnginePool } from "../../inference/pool.ts";
import type { Weights } from "../../model/weights.ts";
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
  const fingerprints = new WeakMap<Weights, string>();
  const fingerprint = (weights: Weights): string => {
    const known = fingerprints.get(weights) ?? fingerprintOf(weights, pool);
    fingerprints.set(weights, known);
    return known;
  };
  for (const { weights } of pool.models.values()) fingerprint(weights); // while nobody waits
  const shared = new SharedResumeStore(store, {
    resumeWindowS,
    maxKept: maxKeptSessions,
    outlives: true,
    model(id) {
      const model = pool.models.get(id);
      if (!model) return undefined;
      const { layout, weights } = model;
      return { layout, heads: weights.heads, fingerprint: fingerprint(weights) };
    },
  });
  await shared.start();
  return shared;
}
