/** The model workers as the rest of the server sees them: open a stream, push audio, get frames. */
import { CpcError } from "../errors.ts";
import { BEAT_MS } from "../heartbeat.ts";
import {
  type Backend,
  type EngineKind,
  type EngineOptions,
  modelLayout,
  type Precision,
} from "../model/engine.ts";
import type { Weights } from "../model/weights.ts";
import { EngineStream, type Seats, type StreamOptions } from "./engine_stream.ts";
import type { StepTiming } from "./messages.ts";
import { networksOf, type PoolModel, poolModels } from "./models.ts";
import type { PoolWorker } from "./pool_worker.ts";
import { Recurrence } from "./recurrence.ts";
import { type WorkerEvents, WorkerPlace } from "./worker_place.ts";

/** Time that a stream waits for a worker, if it lost its own and the others are full or gone. */
const SEAT_WAIT_MS = 30_000;

/** How to start a pool. */
export interface PoolOptions extends Omit<EngineOptions, "threads"> {
  readonly models: readonly Weights[];
  readonly engine: EngineKind;
  readonly workers: number;
  /** Most streams at once, over all workers; each channel of a stream counts as one. */
  readonly maxStreams: number;
  /** Called after every step, for metrics. */
  readonly onStep?: (step: StepTiming) => void;
  readonly events?: PoolEvents;
  /** Starts a thread that runs `worker/worker.ts` (tests bring their own). */
  readonly startWorker?: () => Worker;
  /** A clock in milliseconds (tests bring their own). */
  readonly nowMs?: () => number;
}

/** What happens to the workers and their streams, for logs and metrics. */
export interface PoolEvents extends WorkerEvents {
  /** A stream goes on, in another worker. */
  streamMoved?(): void;
}

/** The workers and their slots. */
export class EnginePool implements Seats {
  readonly #models: Map<string, PoolModel>;
  /** What workers load: the models' networks, and those that are being added. */
  #networks: readonly Weights[];
  readonly engine: EngineKind;
  readonly precision: Precision;
  readonly nowMs: () => number;
  readonly #places: readonly WorkerPlace[];
  readonly #events: PoolEvents;
  /** Streams without a worker: until when they wait, and why they lost theirs. */
  readonly #waiting = new Map<EngineStream, { untilMs: number; lost: CpcError }>();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #recurrence: Recurrence;
  #closing = false;
  #adding = 0;

  private constructor(options: PoolOptions) {
    const { models, engine, device, precision, profile, workers, maxStreams, events = {} } =
      options;
    this.#models = poolModels(models);
    this.#networks = networksOf(this.#models);
    this.engine = engine;
    this.precision = precision;
    this.nowMs = options.nowMs ?? (() => performance.now());
    this.#events = events;
    const place = {
      loading: () => ({
        kind: engine,
        options: { device, precision, profile, threads: 1 },
        models: this.#networks,
      }),
      slots: Math.ceil(maxStreams / workers),
      events,
      onStep: options.onStep,
      onBack: () => this.#seatWaiting(),
      startWorker: options.startWorker,
      nowMs: this.nowMs,
    };
    this.#places = Array.from({ length: workers }, () => new WorkerPlace(place));
    this.#recurrence = new Recurrence(this.#weights);
    this.#timer = setInterval(() => this.look(), BEAT_MS);
  }

  /**
   * Starts the workers and loads every model into each.
   *
   * @throws {CpcError} the engine's error, if it cannot load
   */
  static async start(options: PoolOptions): Promise<EnginePool> {
    const pool = new EnginePool(options);
    const loaded = await Promise.allSettled(pool.#places.map((place) => place.load()));
    const failed = loaded.find((result) => result.status === "rejected");
    if (!failed) return pool;
    clearInterval(pool.#timer);
    for (const place of pool.#places) place.terminate();
    throw failed.reason;
  }

  /** By id; the first is the default. */
  get models(): ReadonlyMap<string, PoolModel> {
    return this.#models;
  }

  get #weights(): Weights[] {
    return [...this.#models.values()].map(({ weights }) => weights);
  }

  /**
   * Loads one more model into every worker. Streams of others go on; those of a worker wait while
   * its engine is built.
   *
   * @throws {CpcError} the engine's error; no worker has the model then
   */
  async add(weights: Weights): Promise<void> {
    if (this.#networks.some(({ id }) => id === weights.id)) {
      throw new CpcError("model_in_use", `the model ${weights.id} is loaded, or about to be`);
    }
    const added = poolModels([weights]);
    const networks = networksOf(added);
    const ids = networks.map(({ id }) => id);
    this.#networks = [...this.#networks, ...networks];
    this.#adding++;
    const results = await Promise.allSettled(this.#places.map((place) => place.add(networks)));
    this.#adding--;
    const failed = results.find((result) => result.status === "rejected");
    if (failed) {
      this.#forget(ids);
      throw failed.reason;
    }
    for (const [id, model] of added) this.#models.set(id, model);
    this.#recurrence.models = this.#weights;
  }

  /** Whether models are being added, for which streams wait now and then. */
  get isAdding(): boolean {
    return this.#adding > 0;
  }

  /** Streams of a model that are open, those of recordings too. */
  streamsOf(id: string): number {
    const { weights, reversed } = this.model(id);
    const ids = [weights.id, reversed?.id];
    const waiting = [...this.#waiting.keys()].filter(({ model }) => ids.includes(model)).length;
    return this.#workers.reduce(
      (sum, worker) => sum + ids.reduce((sum, id) => sum + (id ? worker.streamsOf(id) : 0), 0),
      waiting,
    );
  }

  /**
   * Unloads a model that has no streams and is not the default.
   *
   * @throws {CpcError} `model_not_found`, `model_in_use`
   */
  remove(id: string): void {
    const { weights, reversed } = this.model(id);
    const streams = this.streamsOf(id);
    if (id === this.defaultModel) {
      throw new CpcError("model_in_use", `${id} is the default model, which stays loaded`);
    }
    if (streams > 0) {
      const they = streams === 1 ? "1 stream uses" : `${streams} streams use`;
      throw new CpcError("model_in_use", `${they} the model ${id}; it stays loaded`);
    }
    this.#models.delete(id);
    this.#recurrence.models = this.#weights;
    this.#forget([weights, ...reversed ? [reversed] : []].map(({ id }) => id));
  }

  #forget(networks: readonly string[]): void {
    this.#networks = this.#networks.filter(({ id }) => !networks.includes(id));
    for (const place of this.#places) place.remove(networks);
  }

  /** Its workers; dead ones too, until they are replaced. There is always one. */
  get #workers(): readonly PoolWorker[] {
    return this.#places.map(({ worker }) => worker);
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

  /** Streams open now; each channel counts as one. */
  get streams(): number {
    const seated = this.#workers.reduce((sum, worker) => sum + worker.slots.leased, 0);
    return this.#waiting.keys().reduce((sum, { channels }) => sum + channels, seated);
  }

  /** Most streams at once. */
  get capacity(): number {
    return this.#workers.reduce((sum, worker) => sum + worker.slots.size, 0);
  }

  /** Number of workers. */
  get size(): number {
    return this.#places.length;
  }

  /**
   * The context networks alone, for latents computed by several workers; undefined where one worker
   * is as fast.
   */
  get recurrence(): Recurrence | undefined {
    const pays = this.engine === "onnx" && this.device === "cpu" && this.size > 1;
    return pays ? this.#recurrence : undefined;
  }

  /** Number of workers that can take steps. */
  get alive(): number {
    return this.#workers.filter(({ alive }) => alive).length;
  }

  /**
   * Seconds of a worker that one hop of one stream takes on a full server: measured at start,
   * updated with every step.
   */
  secondsPerHop(model: string): number {
    const costs = this.#workers.flatMap(({ costs }) => costs.get(model)?.seconds ?? []);
    return costs.reduce((sum, seconds) => sum + seconds, 0) / costs.length;
  }

  /** Seconds that a row of each head of a model takes, as measured at start. */
  secondsPerRow(model: string): Readonly<Record<string, number>> {
    return this.#workers[0]?.secondsPerRow[model] ?? {};
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
   * @throws {CpcError} `model_not_found`; `overloaded` when there is no room for its channels
   */
  open(options: StreamOptions): EngineStream {
    const { weights, reversed } = this.model(options.model);
    if (options.reverse && !reversed) {
      throw new TypeError(`the model ${options.model} has no reversed network to score with`);
    }
    const { id: model, config } = options.reverse && reversed ? reversed : weights;
    const stream = new EngineStream(
      { ...options, model },
      { layout: modelLayout(config), seats: this },
    );
    const { channels } = stream;
    const hasRoom = this.streams + channels <= this.capacity;
    if (hasRoom && this.#seat(stream)) return stream;
    if (this.alive === 0) throw restarting();
    throw new CpcError(
      "overloaded",
      channels === 1
        ? `all ${this.capacity} streams of this server are in use; try again later`
        : `this server takes ${this.capacity} streams, and a stream of ${channels} channels ` +
          `counts as ${channels}: ${this.streams} are in use; try again later`,
      { retryAfterMs: 1000 },
    );
  }

  /** @ignore called by a stream that has lost its worker */
  move(stream: EngineStream, lost: CpcError): void {
    if (this.#closing) return stream.fail(stopped());
    if (this.#seat(stream)) this.#events.streamMoved?.();
    else this.#waiting.set(stream, { untilMs: this.nowMs() + SEAT_WAIT_MS, lost });
  }

  /** @ignore called by a stream that ends */
  forget(stream: EngineStream): void {
    this.#waiting.delete(stream);
  }

  /** Finds workers that hang, and starts lost ones again; its own timer calls it each beat. */
  look(): void {
    for (const place of this.#places) place.look();
    this.#seatWaiting();
    for (const [stream, { untilMs, lost }] of this.#waiting) {
      if (this.nowMs() >= untilMs) stream.fail(lost);
    }
  }

  /** Stops the workers and frees their memory. Open streams get no more frames. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#timer);
    for (const stream of [...this.#waiting.keys()]) stream.fail(stopped());
    await Promise.all([
      this.#recurrence.close(),
      ...this.#places.map((place) => place.close()),
    ]);
  }

  /** Gives a stream a seat in the worker with the fewest streams; false when there is none. */
  #seat(stream: EngineStream): boolean {
    const workers = this.#workers.filter((worker) => worker.alive && worker.has(stream.model))
      .sort((a, b) => a.slots.leased - b.slots.leased);
    const seat = workers[0]?.take(stream);
    if (seat) stream.sit(seat);
    return seat !== undefined;
  }

  #seatWaiting(): void {
    for (const stream of [...this.#waiting.keys()]) {
      if (!this.#seat(stream)) return;
      this.#waiting.delete(stream);
      this.#events.streamMoved?.();
    }
  }
}

/** No worker is alive. */
export function restarting(): CpcError {
  return new CpcError("loading", "the model workers are restarting", { retryAfterMs: 1000 });
}

function stopped(): CpcError {
  return new CpcError("draining", "the model workers have stopped");
}
