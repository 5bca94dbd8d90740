/** One worker thread, as the pool sees it: its slots, its streams, and its pending requests. */
import { CpcError } from "../errors.ts";
import { type Backend, modelLayout } from "../model/engine.ts";
import { EngineStream, type StreamOptions, type StreamWorker } from "./engine_stream.ts";
import { HopCost } from "./hop_cost.ts";
import type { FromWorker, Lease, StepTiming, ToWorker } from "./messages.ts";
import { SlotTable } from "./slots.ts";

type Loading = Omit<Extract<ToWorker, { type: "load" }>, "type">;
interface Pending {
  readonly lease: Lease;
  readonly resolve: (frames: number) => void;
  readonly reject: (error: CpcError) => void;
}

/** A worker thread. */
export class PoolWorker implements StreamWorker {
  readonly slots: SlotTable;
  device = "";
  backend: Backend = { library: "", notTaken: [] };
  /** By model; empty until the models are loaded. */
  readonly costs = new Map<string, HopCost>();
  readonly #worker = new Worker(new URL("./worker/worker.ts", import.meta.url), { type: "module" });
  readonly #streams = new Map<number, EngineStream>();
  readonly #pending = new Map<number, Pending>();
  readonly #onStep: ((step: StepTiming) => void) | undefined;
  readonly #loaded = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #died = Promise.withResolvers<void>();
  #plans = new Map<string, { hopSamples: number; leadSamples: number }>();
  #nextId = 0;
  #dead?: CpcError;

  constructor(slots: number, onStep: ((step: StepTiming) => void) | undefined) {
    this.slots = new SlotTable(slots);
    this.#onStep = onStep;
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#die(new CpcError("model_failed", `a model worker stopped: ${event.message}`));
    };
  }

  /** Whether it can take steps. */
  get alive(): boolean {
    return this.#dead === undefined;
  }

  /** Resolves when the thread has ended. */
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
        for (const [model, seconds] of Object.entries(message.secondsPerHop)) {
          this.costs.set(model, new HopCost(seconds));
        }
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

  #deliver(
    { results, data, model, stepMs, streams, hops }: Extract<FromWorker, { type: "step" }>,
  ): void {
    this.costs.get(model)?.observe({ rows: streams * hops, seconds: stepMs / 1000 });
    this.#onStep?.({ model, stepMs, streams, hops });
    for (
      const { lease, hopsTaken, first, count, frames, want, offset, length, checkpoint } of results
    ) {
      if (!this.slots.isCurrent(lease)) continue;
      const block = { first, count, frames, want, data: data.subarray(offset, offset + length) };
      this.#streams.get(lease.index)?.report(block, {
        hopsTaken,
        checkpoint,
        computeMs: stepMs / streams,
      });
    }
  }

  #forget(lease: Lease, error: CpcError): void {
    this.#streams.delete(lease.index);
    this.slots.release(lease);
    for (const [id, pending] of this.#pending) {
      if (pending.lease.index !== lease.index || pending.lease.generation !== lease.generation) {
        continue;
      }
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
