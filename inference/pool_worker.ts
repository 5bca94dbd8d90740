/** One worker thread, as the pool sees it: its slots, its streams, and its pending requests. */
import { CpcError } from "../errors.ts";
import { Heartbeat, SILENT_BEATS } from "../heartbeat.ts";
import type { Backend } from "../model/engine.ts";
import type { Weights } from "../model/weights.ts";
import type { EngineStream, Seat } from "./engine_stream.ts";
import { HopCost } from "./hop_cost.ts";
import type { FromWorker, Lease, ModelCosts, StepTiming, ToWorker } from "./messages.ts";
import { Outbox } from "./outbox.ts";
import { SlotTable } from "./slots.ts";
import { ResultReader } from "./step_results.ts";

/**
 * Failures of streams, one after the other without a step in between, after which the fault is the
 * worker's: a device that was lost, say.
 */
const FAILURES_IN_A_ROW = 3;

/** Beats within which a worker must have loaded its models. */
const LOADING_BEATS = 120;

/** What the workers load. */
export type Loading = Omit<Extract<ToWorker, { type: "load" }>, "type" | "posted">;

/** How a worker was lost: its thread threw, does not answer, or fails at every step. */
export type LossReason = "crashed" | "hung" | "failing";

/** Where a worker reports to. */
export interface WorkerReports {
  /** A step was taken. */
  readonly onStep?: (step: StepTiming) => void;
  /** A step failed and was tried again, stream by stream. */
  readonly onRetry?: (error: string) => void;
  /** It was lost after it had been loaded. Its streams are told afterwards. */
  readonly onLost: (loss: { reason: LossReason; error: CpcError; streams: number }) => void;
}

interface Pending {
  readonly lease: Lease;
  readonly onReached: (frames: number) => void;
}

/** A worker thread. */
export class PoolWorker {
  readonly slots: SlotTable;
  device = "";
  backend: Backend = { library: "", notTaken: [] };
  /** By model; empty until the models are loaded. */
  readonly costs = new Map<string, HopCost>();
  /** Of each model's heads, as measured at start. */
  secondsPerRow: ModelCosts["secondsPerRow"] = {};
  readonly #worker: Worker;
  readonly #outbox: Outbox;
  readonly #reports: WorkerReports;
  readonly #heartbeat: Heartbeat;
  readonly #streams = new Map<number, EngineStream>();
  readonly #results = new ResultReader();
  readonly #pending = new Map<number, Pending>();
  readonly #loaded = Promise.withResolvers<void>();
  /** Models that it is loading beside the first ones. */
  readonly #adding = new Map<number, PromiseWithResolvers<void>>();
  readonly #closed = Promise.withResolvers<void>();
  #nextId = 0;
  #failuresInARow = 0;
  #dead?: CpcError;

  /** @param worker its thread, which runs `worker/worker.ts` */
  constructor(worker: Worker, { slots, ...reports }: { slots: number } & WorkerReports) {
    this.slots = new SlotTable(slots);
    this.#reports = reports;
    this.#worker = worker;
    this.#outbox = new Outbox(worker);
    this.#heartbeat = new Heartbeat(() => this.#isLoaded && this.post({ type: "ping" }));
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#lose("crashed", `a model worker stopped: ${event.message}`);
    };
  }

  /** Whether it can take steps. */
  get alive(): boolean {
    return this.#dead === undefined;
  }

  get #isLoaded(): boolean {
    return this.costs.size > 0;
  }

  /**
   * Loads the models.
   *
   * @throws {CpcError} the engine's error
   */
  load(loading: Loading): Promise<void> {
    this.post({ type: "load", posted: this.#outbox.posted, ...loading });
    return this.#loaded.promise;
  }

  /** Whether streams of a model can be opened here. */
  has(model: string): boolean {
    return this.costs.has(model);
  }

  /**
   * Loads more models; streams of the others go on.
   *
   * @throws {CpcError} the engine's error; none of them is there then
   */
  add(models: readonly Weights[]): Promise<void> {
    if (this.#dead) return Promise.reject(this.#dead);
    const id = this.#nextId++;
    const adding = Promise.withResolvers<void>();
    this.#adding.set(id, adding);
    this.post({ type: "add", id, models });
    return adding.promise;
  }

  /** Unloads models, which have no streams. */
  remove(models: readonly string[]): void {
    for (const model of models) this.costs.delete(model);
    this.post({ type: "remove", models });
  }

  /** Its streams of a model. */
  streamsOf(model: string): number {
    return this.#streams.values().filter((stream) => stream.model === model).toArray().length;
  }

  /** Gives a stream a seat, unless all are taken or it lacks the model. */
  take(stream: EngineStream): Seat | undefined {
    if (this.#dead || !this.has(stream.model)) return undefined;
    const lease = this.slots.lease(stream.channels);
    if (!lease) return undefined;
    this.#streams.set(lease.index, stream);
    this.post({ type: "open", lease, ...stream.opening });
    return {
      post: (message, transfer) => this.post({ ...message, lease }, transfer),
      request: (type, onReached) => {
        if (this.#dead || !this.slots.isCurrent(lease)) return;
        const id = this.#nextId++;
        this.#pending.set(id, { lease, onReached });
        this.post({ type, lease, id });
      },
      release: () => {
        if (!this.slots.isCurrent(lease)) return;
        this.post({ type: "release", lease });
        this.#forget(lease);
      },
    };
  }

  /** Posts a message, unless its stream's lease is over. */
  post(message: ToWorker, transfer: Transferable[] = []): void {
    if (this.#dead || ("lease" in message && !this.slots.isCurrent(message.lease))) return;
    this.#outbox.add(message, transfer);
  }

  /** Checks whether it still answers; called regularly. */
  look(): void {
    if (this.#dead) return;
    const isLoading = !this.#isLoaded || this.#adding.size > 0;
    const most = isLoading ? LOADING_BEATS : SILENT_BEATS;
    if (this.#heartbeat.beat() >= most) this.#lose("hung", "a model worker does not answer");
  }

  close(): Promise<void> {
    if (this.#dead) return Promise.resolve();
    this.post({ type: "close" });
    return this.#closed.promise;
  }

  /** Ends its thread. One that is stopped in native code goes on until it returns from there. */
  terminate(): void {
    this.#worker.terminate();
  }

  #receive(message: FromWorker): void {
    if (this.#dead) return;
    this.#heartbeat.heard();
    switch (message.type) {
      case "loaded":
        this.device = message.device;
        this.backend = message.backend;
        this.#learn(message);
        this.#loaded.resolve();
        break;
      case "added":
        this.#learn(message);
        this.#adding.get(message.id)?.resolve();
        this.#adding.delete(message.id);
        break;
      case "add_failed":
        this.#adding.get(message.id)?.reject(new CpcError(message.code, message.message));
        this.#adding.delete(message.id);
        break;
      case "load_failed":
        this.#loaded.reject(new CpcError(message.code, message.message));
        break;
      case "step":
        this.#deliver(message);
        break;
      case "reached": {
        const pending = this.#pending.get(message.id);
        this.#pending.delete(message.id);
        if (pending && message.heads) {
          this.#streams.get(message.lease.index)?.reportHeads(message.heads);
        }
        pending?.onReached(message.frames);
        break;
      }
      case "failed":
        this.#failed(message.lease, new CpcError(message.code, message.message), message);
        break;
      case "retried":
        this.#reports.onRetry?.(message.error);
        break;
      case "closed":
        this.#closedByUs();
        break;
    }
  }

  #learn({ secondsPerHop, secondsPerRow }: ModelCosts): void {
    for (const [model, seconds] of Object.entries(secondsPerHop)) {
      this.costs.set(model, new HopCost(seconds));
    }
    this.secondsPerRow = { ...this.secondsPerRow, ...secondsPerRow };
  }

  #deliver(
    { results, data, model, stepMs, streams, hops, heads, parts }: Extract<
      FromWorker,
      { type: "step" }
    >,
  ): void {
    this.#failuresInARow = 0;
    this.costs.get(model)?.observe({ rows: streams * hops, seconds: stepMs / 1000 });
    this.#reports.onStep?.({ model, stepMs, streams, hops, heads, parts });
    for (const result of this.#results.read(results)) {
      if (!this.slots.isCurrent(result.lease)) continue;
      const { channels, first, count, frames, want, offset, length, heads } = result;
      const block = {
        channels,
        first,
        count,
        frames,
        want,
        data: data.subarray(offset, offset + length),
        heads,
      };
      this.#streams.get(result.lease.index)?.report(block, {
        hopsTaken: result.hopsTaken,
        checkpoint: result.checkpoint,
        computeMs: stepMs * channels / streams,
      });
    }
  }

  #failed(lease: Lease, error: CpcError, { alone = false }: { alone?: boolean }): void {
    if (!this.slots.isCurrent(lease)) return;
    const stream = this.#streams.get(lease.index);
    this.#forget(lease);
    if (alone || error.code !== "model_failed") return stream?.fail(error);
    if (++this.#failuresInARow >= FAILURES_IN_A_ROW) this.#lose("failing", error.message);
    stream?.lost(error); // it may do better elsewhere
  }

  #forget(lease: Lease): void {
    this.#streams.delete(lease.index);
    this.slots.release(lease);
    for (const [id, pending] of this.#pending) {
      const { index, generation } = pending.lease;
      if (index === lease.index && generation === lease.generation) this.#pending.delete(id);
    }
  }

  #lose(reason: LossReason, why: string): void {
    if (this.#dead) return;
    const error = new CpcError("model_failed", why);
    const streams = this.#end(error);
    if (this.#isLoaded) this.#reports.onLost({ reason, error, streams: streams.length });
    for (const stream of streams) stream.lost(error);
  }

  #closedByUs(): void {
    const error = new CpcError("draining", "the model workers have stopped");
    for (const stream of this.#end(error)) stream.fail(error);
  }

  /** Ends the thread; returns the streams that it leaves behind. */
  #end(error: CpcError): EngineStream[] {
    this.#dead = error;
    this.#outbox.close();
    this.#loaded.reject(error);
    for (const { reject } of this.#adding.values()) reject(error);
    this.#adding.clear();
    this.#closed.resolve();
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    this.#pending.clear();
    this.slots.clear();
    this.terminate();
    return streams;
  }
}
