/** The model workers as the rest of the server sees them: open a stream, push audio, get frames. */
import { CpcError } from "../errors.ts";
import type { Backend, EngineKind, EngineOptions, Precision } from "../model/engine.ts";
import type { Weights } from "../model/weights.ts";
import type { EngineStream, StreamOptions } from "./engine_stream.ts";
import type { StepTiming } from "./messages.ts";
import { networksOf, type PoolModel, poolModels } from "./models.ts";
import { PoolWorker } from "./pool_worker.ts";

/** Time between two attempts to restart a worker. */
const RESPAWN_MS = 1000;

/** How to start a pool. */
export interface PoolOptions extends Omit<EngineOptions, "threads"> {
  readonly models: readonly Weights[];
  readonly engine: EngineKind;
  readonly workers: number;
  /** Most streams at once, over all workers. */
  readonly maxStreams: number;
  /** Called after every step, for metrics. */
  readonly onStep?: (step: StepTiming) => void;
}

/** The workers and their slots. */
export class EnginePool {
  /** By id; the first is the default. */
  readonly models: ReadonlyMap<string, PoolModel>;
  readonly engine: EngineKind;
  readonly precision: Precision;
  readonly #workers: PoolWorker[];
  #closing = false;

  private constructor(
    models: ReadonlyMap<string, PoolModel>,
    { engine, precision, workers, respawn }: {
      engine: EngineKind;
      precision: Precision;
      workers: PoolWorker[];
      respawn: () => Promise<PoolWorker>;
    },
  ) {
    this.models = models;
    this.engine = engine;
    this.precision = precision;
    this.#workers = workers;
    const replaceWhenDead = (worker: PoolWorker) =>
      void worker.died.then(async () => {
        while (!this.#closing) {
          try {
            const fresh = await respawn();
            workers[workers.indexOf(worker)] = fresh;
            replaceWhenDead(fresh);
            if (this.#closing) await fresh.close();
            return;
          } catch {
            await new Promise((resolve) => setTimeout(resolve, RESPAWN_MS));
          }
        }
      });
    workers.forEach(replaceWhenDead);
  }

  /**
   * Starts the workers and loads every model into each.
   *
   * @throws {CpcError} the engine's error, if it cannot load
   */
  static async start(options: PoolOptions): Promise<EnginePool> {
    const models = poolModels(options.models);
    const slots = Math.ceil(options.maxStreams / options.workers);
    const { engine, device, precision } = options;
    const spawn = async () => {
      const worker = new PoolWorker(slots, options.onStep);
      try {
        await worker.load({
          kind: engine,
          options: { device, precision, threads: 1 },
          models: networksOf(models),
          slots,
        });
        return worker;
      } catch (error) {
        worker.terminate();
        throw error;
      }
    };
    const started = await Promise.allSettled(Array.from({ length: options.workers }, spawn));
    const workers = started.flatMap((result) =>
      result.status === "fulfilled" ? [result.value] : []
    );
    const failed = started.find((result) => result.status === "rejected");
    if (failed) {
      for (const worker of workers) worker.terminate();
      throw failed.reason;
    }
    return new EnginePool(models, { engine, precision, workers, respawn: spawn });
  }

  /** Where the engines compute. */
  get device(): string {
    return this.#workers[0]!.device; // there is always one
  }

  /** What computes there, and what does not, and why. */
  get backend(): Backend {
    return this.#workers[0]!.backend;
  }

  /** Id of the model used when none is named. */
  get defaultModel(): string {
    return this.models.keys().next().value!;
  }

  /** Streams open now. */
  get streams(): number {
    return this.#workers.reduce((sum, worker) => sum + worker.slots.leased, 0);
  }

  /** Most streams at once. */
  get capacity(): number {
    return this.#workers.reduce((sum, worker) => sum + worker.slots.size, 0);
  }

  /** Number of workers. */
  get size(): number {
    return this.#workers.length;
  }

  /**
   * Seconds of a worker that one hop of one stream takes on a full server: measured at start,
   * updated with every step.
   */
  secondsPerHop(model: string): number {
    const costs = this.#workers.flatMap(({ costs }) => costs.get(model)?.seconds ?? []);
    return costs.reduce((sum, seconds) => sum + seconds, 0) / costs.length;
  }

  /**
   * A model by id.
   *
   * @throws {CpcError} `model_not_found`, listing the models that exist
   */
  model(id: string = this.defaultModel): PoolModel {
    const model = this.models.get(id);
    if (model) return model;
    const known = [...this.models.keys()].join(", ");
    throw new CpcError(
      "model_not_found",
      `no model ${JSON.stringify(id)}; this server has ${known}`,
      { param: "model" },
    );
  }

  /**
   * Opens a stream on the worker with the fewest streams.
   *
   * @throws {CpcError} `model_not_found`; `overloaded` when every slot is taken
   */
  open(options: StreamOptions): EngineStream {
    const { reversed } = this.model(options.model);
    if (options.reverse && !reversed) {
      throw new TypeError(`the model ${options.model} has no reversed network to score with`);
    }
    const alive = this.#workers.filter((worker) => worker.alive).sort((a, b) =>
      a.slots.leased - b.slots.leased
    );
    const stream = alive[0]?.open({
      ...options,
      model: options.reverse ? reversed!.id : options.model,
    });
    if (stream) return stream;
    if (alive.length === 0) {
      throw new CpcError("loading", "the model workers are restarting", {
        retryAfterMs: 1000,
      });
    }
    throw new CpcError(
      "overloaded",
      `all ${this.capacity} streams of this server are in use; try again later`,
      {
        retryAfterMs: 1000,
      },
    );
  }

  /** Stops the workers and frees their memory. Open streams get no more frames. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }
}
