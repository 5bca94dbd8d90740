/** What this server may hold in memory: the needs of its parts, fitted into one budget. */
import { MAX_WORKERS } from "../audio/decoders.ts";
import { LIMITS } from "../config/limits.ts";
import { type MemoryPlan, planMemory, shownBytes } from "../config/memory.ts";
import type { ServerConfig } from "../config/server.ts";
import { SERVER_SETTINGS } from "../config/settings.ts";
import { CpcError, UsageError } from "../errors.ts";
import { modelLayout } from "../model/engine.ts";
import { parameterCount, type Weights } from "../model/weights.ts";
import { keptSessionBytes, streamBytes } from "../streaming/sizing.ts";

const MIB = 2 ** 20;
/** The share of the machine's memory that is taken when nobody says how much. */
const MACHINE_SHARE = 0.8;
/** The runtime, the libraries and the decoders, with room for garbage. Measured: docs/limits.md. */
const PROCESS_BYTES = 450 * MIB;
/** Each further thread that decodes streams of Opus, without its decoders. */
const OPUS_THREAD_BYTES = 45 * MIB;
/** The process that starts the others. */
const SUPERVISOR_BYTES = 150 * MIB;
/** A model worker without its models, with room for garbage. */
const WORKER_BYTES = 128 * MIB;
/** Copies of a model's weights in a worker: the engine's own, packed for its kernels. */
const WEIGHT_COPIES = 4;
/** Less than this for the REST requests of a process is of no use. */
const LEAST_REQUEST_BYTES = 256 * MIB;

/**
 * Plans the memory of all processes of the server.
 *
 * @throws {UsageError} when the bounds do not fit into the budget
 */
export function serverMemory(
  config: Pick<
    ServerConfig,
    | "memoryBudget"
    | "maxStreams"
    | "maxKeptSessions"
    | "workers"
    | "processes"
    | "backlogLimitS"
    | "maxMessageBytes"
    | "maxOutputBytes"
  >,
  models: readonly Weights[],
): MemoryPlan {
  const sizes = models.map(({ config, heads }) => ({ layout: modelLayout(config), heads }));
  const weights = models.reduce((sum, model) => sum + weightBytes(model), 0);
  const { processes } = config;
  const workers = Math.max(config.workers, processes);
  const fixed = processes * (PROCESS_BYTES + (MAX_WORKERS - 1) * OPUS_THREAD_BYTES + weights) +
    (processes > 1 ? SUPERVISOR_BYTES : 0) +
    workers * (WORKER_BYTES + WEIGHT_COPIES * weights);
  const least = processes * LEAST_REQUEST_BYTES;
  return planMemory(config, {
    fixed,
    perStream: Math.max(...sizes.map(({ layout, heads }) => streamBytes(layout, config, heads))),
    perKept: Math.max(...sizes.map(({ layout, heads }) => keptSessionBytes(layout, heads))),
    requests: { most: Math.max(LIMITS.requestMemoryBytes, least), least },
  }, {
    budget: config.memoryBudget ?? Math.floor(MACHINE_SHARE * Deno.systemMemoryInfo().total),
    fallbackStreams: Number(SERVER_SETTINGS.maxStreams.fallback),
  });
}

/**
 * What is left for REST requests with other models than those of the start. They give way to a
 * model; streams and kept sessions do not.
 *
 * @param plan that of the start
 * @returns bytes, over all processes
 * @throws {CpcError} `overloaded` if there is no room for the models, with what to do
 */
export function requestBytes(
  config: Parameters<typeof serverMemory>[0],
  models: readonly Weights[],
  plan: MemoryPlan,
): number {
  const { maxStreams, maxKeptSessions } = plan;
  const wanted = { ...config, maxStreams, maxKeptSessions, memoryBudget: plan.budget };
  try {
    const next = serverMemory(wanted, models);
    const fits = next.maxStreams >= maxStreams && next.maxKeptSessions >= maxKeptSessions;
    if (fits) return next.requests;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
  }
  throw new CpcError(
    "overloaded",
    `the memory budget of ${shownBytes(plan.budget, Math.floor)} does not hold this model beside ` +
      `${maxStreams} streams and ${maxKeptSessions} kept sessions: start the server with the ` +
      "model, with a lower --max-streams, or with a larger --memory-budget",
  );
}

/** The weights of a model and its heads. */
function weightBytes(model: Weights): number {
  const heads = (model.heads ?? []).reduce((sum, { graph }) => sum + graph.length, 0);
  return 4 * parameterCount(model) + heads;
}
