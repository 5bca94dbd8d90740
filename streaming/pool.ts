/** The model workers as the rest of the server sees them: open a stream, push audio, get frames. */
import { CpcError } from "../errors.ts";
import { type Backend, type EngineKind, type EngineOptions, type ModelLayout, modelLayout } from "../model/engine.ts";
import { reversedModel, scoresBothWays } from "../model/reverse.ts";
import type { Tensor } from "../model/safetensors.ts";
import type { Weights } from "../model/weights.ts";
import type { Checkpoint, FrameBlock, FromWorker, Lease, ToWorker, Want } from "./messages.ts";
import type { Priority } from "./scheduler.ts";
import { SlotTable } from "./slots.ts";

/** How to start a pool. */
export interface PoolOptions extends Omit<EngineOptions, "threads"> {
  readonly models: readonly Weights[];
  readonly engine: EngineKind;
  readonly workers: number;
  /** Most streams at once, over all workers. */
  readonly maxStreams: number;
  /** Called after every step, for metrics. */
  readonly onStep?: (step: { model?: string; stepMs: number; streams: number; hops: number }) => void;
}

/** A new stream. */
export interface StreamOptions {
  /** Id of a loaded model. */
  readonly model: string;
  /** Run its reversed network, which is to be given the recording backwards (see {@linkcode PoolModel.reversed}). */
  readonly reverse?: boolean;
  readonly priority: Priority;
  readonly want: Want;
  /** Continue from here instead of from silence. */
  readonly restore?: Checkpoint;
  /** Report the state every so many hops; 0 (default) never. */
  readonly checkpointHops?: number;
  /** Called for each step of this stream, in order; `count` may be 0. */
  readonly onFrames: (block: FrameBlock, step: { checkpoint?: Checkpoint; computeMs: number }) => void;
  /** Called once when the stream broke; its lease is gone then. */
  readonly onError: (error: CpcError) => void;
}

/** A model of the pool. */
export interface PoolModel {
  readonly weights: Weights;
  readonly layout: ModelLayout;
  /** The reversed network, where the objective takes one into account: loaded beside the forward one, for scoring alone. */
  readonly reversed?: Weights;
}

/** The workers and their slots. */
export class EnginePool {
  /** By id; the first is the default. */
  readonly models: ReadonlyMap<string, PoolModel>;
  readonly engine: EngineKind;
  readonly #workers: PoolWorker[];
  #closing = false;

  private constructor(
    models: ReadonlyMap<string, PoolModel>,
    { engine, workers, respawn }: { engine: EngineKind; workers: PoolWorker[]; respawn: () => Promise<PoolWorker> },
  ) {
    this.models = models;
    this.engine = engine;
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
   * @throws {CpcError} what the engine said, when it cannot load
   */
  static async start(options: PoolOptions): Promise<EnginePool> {
    const models = new Map(options.models.map((given) => {
      const weights = shareTensors(given);
      const reversed = scoresBothWays(weights.config) ? reversedModel(weights) : undefined;
      return [weights.id, { weights, layout: modelLayout(weights.config), reversed }];
    }));
    const networks = [...models.values()].flatMap(({ weights, reversed }) => reversed ? [weights, reversed] : [weights]);
    const slots = Math.ceil(options.maxStreams / options.workers);
    const { engine, device, precision } = options;
    const spawn = async () => {
      const worker = new PoolWorker(slots, options.onStep);
      try {
        await worker.load({ kind: engine, options: { device, precision, threads: 1 }, models: networks, slots });
        return worker;
      } catch (error) {
        worker.terminate();
        throw error;
      }
    };
    const started = await Promise.allSettled(Array.from({ length: options.workers }, spawn));
    const workers = started.flatMap((result) => result.status === "fulfilled" ? [result.value] : []);
    const failed = started.find((result) => result.status === "rejected");
    if (failed) {
      for (const worker of workers) worker.terminate();
      throw failed.reason;
    }
    return new EnginePool(models, { engine, workers, respawn: spawn });
  }

  /** Where the engines compute. */
  get device(): string {
    return this.#workers[0].device;
  }

  /** What computes there, and what does not. */
  get backend(): Backend {
    return this.#workers[0].backend;
  }

  /** Id of the model used when none is named. */
  get defaultModel(): string {
    return this.models.keys().next().value!;
  }

  /** Streams open now. */
  get streams(): number {
    return this.#workers.reduce((sum, worker) => sum + worker.slots.leased, 0);
  }

  /** Streams that fit. */
  get capacity(): number {
    return this.#workers.reduce((sum, worker) => sum + worker.slots.size, 0);
  }

  /** Number of workers. */
  get size(): number {
    return this.#workers.length;
  }

  /** Seconds that one hop of one stream takes in a batch of 8, as measured at start: the basis of admission. */
  secondsPerHop(model: string): number {
    return Math.max(...this.#workers.map((worker) => worker.secondsPerHop[model]));
  }

  /**
   * A model by id.
   *
   * @throws {CpcError} `model_not_found`, with the list of those that there are
   */
  model(id: string = this.defaultModel): PoolModel {
    const model = this.models.get(id);
    if (model) return model;
    const known = [...this.models.keys()].join(", ");
    throw new CpcError("model_not_found", `no model ${JSON.stringify(id)}; this server has ${known}`, { param: "model" });
  }

  /**
   * Opens a stream on the worker that has the fewest.
   *
   * @throws {CpcError} `model_not_found`; `overloaded` when every slot is taken
   */
  open(options: StreamOptions): EngineStream {
    const { reversed } = this.model(options.model);
    if (options.reverse && !reversed) throw new TypeError(`the model ${options.model} has no reversed network to score with`);
    const alive = this.#workers.filter((worker) => worker.alive).sort((a, b) => a.slots.leased - b.slots.leased);
    const stream = alive[0]?.open({ ...options, model: options.reverse ? reversed!.id : options.model });
    if (stream) return stream;
    if (alive.length === 0) throw new CpcError("loading", "the model workers are being started again", { retryAfterMs: 1000 });
    throw new CpcError("overloaded", `all ${this.capacity} streams of this server are in use; try again later`, {
      retryAfterMs: 1000,
    });
  }

  /** Stops the workers and frees what they hold; open streams get no more frames. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }
}

/** One stream of the pool. All its methods do nothing once it was released or broke. */
export class EngineStream {
  readonly #lease: Lease;
  readonly #worker: PoolWorker;
  readonly #options: StreamOptions;
  readonly #layout: { hopSamples: number; leadSamples: number };
  #pushed: number;
  #taken: number;

  /** @ignore made by {@linkcode EnginePool.open} */
  constructor(lease: Lease, worker: PoolWorker, options: StreamOptions, layout: { hopSamples: number; leadSamples: number }) {
    this.#lease = lease;
    this.#worker = worker;
    this.#options = options;
    this.#layout = layout;
    this.#taken = this.#samplesOf(options.restore?.hopsTaken ?? 0);
    this.#pushed = this.#taken;
  }

  /** Samples at 16 kHz pushed since the segment began and not yet stepped, what is not a whole hop included. */
  get queuedSamples(): number {
    return Math.max(0, this.#pushed - this.#taken);
  }

  /** Sends mono samples at 16 kHz to be stepped. The array is handed over: do not use it again. */
  push(samples: Float32Array<ArrayBuffer>): void {
    if (samples.length === 0) return;
    this.#pushed += samples.length;
    this.#worker.post({ type: "audio", lease: this.#lease, samples }, [samples.buffer]);
  }

  /** Resolves to the number of frames when all that was pushed has been stepped and reported. */
  drained(): Promise<number> {
    return this.#worker.request("drain", this.#lease);
  }

  /** Ends the signal; resolves to the number of frames when the last one has been reported. */
  finish(): Promise<number> {
    return this.#worker.request("finish", this.#lease);
  }

  /** Begins a new segment: state, tails and counters as of a new stream. Call it when drained. */
  reset(): void {
    this.#pushed = this.#taken = 0;
    this.#worker.post({ type: "reset", lease: this.#lease });
  }

  /** Changes what is wanted of the frames to come. */
  update(want: Want): void {
    this.#worker.post({ type: "update", lease: this.#lease, want });
  }

  /** Gives the slot back; no frames are reported afterwards. */
  release(): void {
    this.#worker.release(this.#lease);
  }

  /** @ignore called by its worker */
  report(block: FrameBlock, { hopsTaken, ...step }: { hopsTaken: number; checkpoint?: Checkpoint; computeMs: number }): void {
    this.#taken = this.#samplesOf(hopsTaken);
    this.#options.onFrames(block, step);
  }

  /** @ignore called by its worker */
  fail(error: CpcError): void {
    this.#options.onError(error);
  }

  #samplesOf(hops: number): number {
    return Math.max(0, hops * this.#layout.hopSamples - this.#layout.leadSamples);
  }
}

/** Between two tries to start a worker again. */
const RESPAWN_MS = 1000;

type Loading = Omit<Extract<ToWorker, { type: "load" }>, "type">;
interface Pending {
  readonly lease: Lease;
  readonly resolve: (frames: number) => void;
  readonly reject: (error: CpcError) => void;
}

/** One worker thread, its slots, and what is under way with it. */
class PoolWorker {
  readonly slots: SlotTable;
  device = "";
  backend: Backend = { library: "", notTaken: [] };
  secondsPerHop: Record<string, number> = {};
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  readonly #streams = new Map<number, EngineStream>();
  readonly #pending = new Map<number, Pending>();
  readonly #onStep: PoolOptions["onStep"];
  readonly #loaded = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #died = Promise.withResolvers<void>();
  #plans = new Map<string, { hopSamples: number; leadSamples: number }>();
  #nextId = 0;
  #dead?: CpcError;

  constructor(slots: number, onStep: PoolOptions["onStep"]) {
    this.slots = new SlotTable(slots);
    this.#onStep = onStep;
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#die(new CpcError("model_failed", `a model worker stopped: ${event.message}`));
    };
  }

  /** Steps can be asked of it. */
  get alive(): boolean {
    return this.#dead === undefined;
  }

  /** Resolves when the thread is gone. */
  get died(): Promise<void> {
    return this.#died.promise;
  }

  load(loading: Loading): Promise<void> {
    this.#plans = new Map(loading.models.map(({ id, config }) => [id, modelLayout(config).plan]));
    this.post({ type: "load", ...loading });
    return this.#loaded.promise;
  }

  open(options: StreamOptions): EngineStream | undefined {
    if (this.#dead) throw this.#dead;
    const lease = this.slots.lease();
    const plan = this.#plans.get(options.model);
    if (!lease || !plan) return undefined;
    const stream = new EngineStream(lease, this, options, plan);
    this.#streams.set(lease.index, stream);
    const { model, priority, want, restore, checkpointHops = 0 } = options;
    this.post({ type: "open", lease, model, priority, want, restore, checkpointHops });
    return stream;
  }

  post(message: ToWorker, transfer: Transferable[] = []): void {
    if (this.#dead || ("lease" in message && !this.slots.isCurrent(message.lease))) return;
    this.#worker.postMessage(message, transfer);
  }

  request(type: "drain" | "finish", lease: Lease): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#dead || !this.slots.isCurrent(lease)) {
        reject(this.#dead ?? new CpcError("model_failed", "this stream has ended"));
        return;
      }
      const id = this.#nextId++;
      this.#pending.set(id, { lease, resolve, reject });
      this.post({ type, lease, id });
    });
  }

  release(lease: Lease): void {
    if (!this.slots.isCurrent(lease)) return;
    this.post({ type: "release", lease });
    this.#forget(lease, new CpcError("model_failed", "this stream was released"));
  }

  close(): Promise<void> {
    if (this.#dead) return Promise.resolve();
    this.post({ type: "close" });
    return this.#closed.promise;
  }

  terminate(): void {
    this.#worker.terminate();
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case "loaded":
        this.device = message.device;
        this.backend = message.backend;
        this.secondsPerHop = message.secondsPerHop;
        this.#loaded.resolve();
        break;
      case "load_failed":
        this.#loaded.reject(new CpcError(message.code, message.message));
        break;
      case "step":
        this.#deliver(message);
        break;
      case "reached":
        this.#pending.get(message.id)?.resolve(message.frames);
        this.#pending.delete(message.id);
        break;
      case "failed": {
        if (!this.slots.isCurrent(message.lease)) break;
        const stream = this.#streams.get(message.lease.index);
        const error = new CpcError(message.code, message.message);
        this.#forget(message.lease, error);
        stream?.fail(error);
        break;
      }
      case "closed":
        this.#die(new CpcError("draining", "the model workers have stopped"));
        this.#closed.resolve();
        break;
    }
  }

  #deliver({ results, data, stepMs, streams, hops }: Extract<FromWorker, { type: "step" }>): void {
    this.#onStep?.({ stepMs, streams, hops });
    for (const { lease, hopsTaken, first, count, frames, want, offset, length, checkpoint } of results) {
      if (!this.slots.isCurrent(lease)) continue;
      const block = { first, count, frames, want, data: data.subarray(offset, offset + length) };
      this.#streams.get(lease.index)?.report(block, { hopsTaken, checkpoint, computeMs: stepMs / streams });
    }
  }

  #forget(lease: Lease, error: CpcError): void {
    this.#streams.delete(lease.index);
    this.slots.release(lease);
    for (const [id, pending] of this.#pending) {
      if (pending.lease.index !== lease.index || pending.lease.generation !== lease.generation) continue;
      this.#pending.delete(id);
      pending.reject(error);
    }
  }

  #die(error: CpcError): void {
    this.#dead = error;
    this.#loaded.reject(error);
    this.#closed.resolve();
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
    for (const stream of streams) stream.fail(error);
    this.#worker.terminate();
    this.#died.resolve();
  }
}

/** The same weights in memory that workers share instead of copying. */
function shareTensors(weights: Weights): Weights {
  const tensors = new Map<string, Tensor>();
  for (const [name, { shape, data }] of weights.tensors) {
    const shared = new Float32Array(new SharedArrayBuffer(data.byteLength));
    shared.set(data);
    tensors.set(name, { shape, data: shared });
  }
  return { ...weights, tensors };
}
