/** A place for a model worker: one that is lost is started again. */
import { type CpcError, toCpcError } from "../errors.ts";
import { startThread, type ThreadRights } from "../threads.ts";
import type { Weights } from "../model/weights.ts";
import type { StepTiming } from "./messages.ts";
import { type Loading, type LossReason, PoolWorker } from "./pool_worker.ts";

/**
 * Time before a worker is started again that did not last, or whose last start failed: it doubles
 * each time. Otherwise it is started at once.
 */
const BACK_OFF_MS = { first: 1000, most: 30_000 } as const;
/** A worker that has lived for so long has lasted. */
const LASTED_MS = 60_000;
/**
 * No network, no writing, no other programs. Engines need the rest: they look for native libraries
 * and for their own settings.
 */
export const MODEL_WORKER_RIGHTS: ThreadRights = {
  net: false,
  write: false,
  run: false,
  import: false,
  read: "inherit",
  env: "inherit",
  ffi: "inherit",
  sys: "inherit",
};

/** What happens to the workers, for logs and metrics. */
export interface WorkerEvents {
  /** A worker was lost, with so many streams; it is started again in `restartMs`. */
  workerLost?(
    loss: { reason: LossReason; error: CpcError; streams: number; restartMs: number },
  ): void;
  /** A lost worker is back after `lostMs`. */
  workerRestarted?(restart: { reason: LossReason; lostMs: number }): void;
  /** It could not be started; this is tried again in `restartMs`. */
  restartFailed?(failure: { error: CpcError; restartMs: number }): void;
  /** A step failed and was tried again, stream by stream. */
  stepRetried?(error: string): void;
}

/** What its workers are made of. */
export interface PlaceOptions {
  /** What a new worker loads. */
  readonly loading: () => Loading;
  /** Streams that it takes; see {@linkcode SlotTable}. */
  readonly slots: number;
  readonly events: WorkerEvents;
  readonly onStep?: (step: StepTiming) => void;
  /** Called when a lost worker is back. */
  readonly onBack: () => void;
  /** Starts a thread that runs `worker/worker.ts` (tests bring their own). */
  readonly startWorker?: () => Worker;
  /** A clock in milliseconds. */
  readonly nowMs: () => number;
}

/** A place for a worker. */
export class WorkerPlace {
  readonly #options: PlaceOptions;
  #worker: PoolWorker;
  #startedMs: number;
  #lost?: { readonly reason: LossReason; readonly atMs: number };
  #restartAtMs = 0;
  /** Losses and failed starts since a worker lasted. */
  #failures = 0;
  #starting?: PoolWorker;
  #closing = false;

  /** @throws {CpcError} `overloaded` when no thread can be started */
  constructor(options: PlaceOptions) {
    this.#options = options;
    this.#startedMs = options.nowMs();
    this.#worker = this.#create();
  }

  /** Its worker. A dead one is there until its successor is. */
  get worker(): PoolWorker {
    return this.#worker;
  }

  /**
   * Loads the models into the first worker.
   *
   * @throws {CpcError} the engine's error
   */
  load(): Promise<void> {
    return this.#worker.load(this.#options.loading());
  }

  /**
   * Loads more models, which `loading` has by now. A worker that is lost meanwhile is no failure:
   * its successor loads them.
   *
   * @throws {CpcError} the engine's error
   */
  async add(models: readonly Weights[]): Promise<void> {
    const worker = this.#worker;
    if (!worker.alive) return;
    try {
      await worker.add(models);
    } catch (error) {
      if (worker.alive) throw error;
    }
  }

  /** Unloads models, which have no streams and which `loading` has no more. */
  remove(models: readonly string[]): void {
    this.#worker.remove(models);
  }

  /** Once a beat: finds a worker that hangs, starts one that is due. */
  look(): void {
    this.#worker.look();
    this.#starting?.look();
    if (this.#lost && !this.#starting && this.#options.nowMs() >= this.#restartAtMs) {
      void this.#restart(this.#lost);
    }
  }

  /** Stops its worker and frees the memory. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#starting?.terminate();
    await this.#worker.close();
  }

  /** Ends its worker at once. */
  terminate(): void {
    this.#closing = true;
    this.#worker.terminate();
  }

  #create(): PoolWorker {
    const { startWorker = startModelWorker, slots, events, onStep, nowMs } = this.#options;
    return new PoolWorker(startWorker(), {
      slots,
      onStep,
      onRetry: (error) => events.stepRetried?.(error),
      onLost: (loss) => {
        const atMs = nowMs();
        if (atMs - this.#startedMs >= LASTED_MS) this.#failures = 0;
        this.#lost = { reason: loss.reason, atMs };
        events.workerLost?.({ ...loss, restartMs: this.#backOff() });
        if (!this.#closing && this.#restartAtMs <= atMs) void this.#restart(this.#lost);
      },
    });
  }

  async #restart({ reason, atMs }: { reason: LossReason; atMs: number }): Promise<void> {
    const { loading, events, onBack, nowMs } = this.#options;
    try {
      this.#starting = this.#create();
      await loadAll(this.#starting, loading);
      this.#worker = this.#starting;
      this.#starting = undefined;
      if (this.#closing) return await this.#worker.close();
      this.#lost = undefined;
      this.#startedMs = nowMs();
      events.workerRestarted?.({ reason, lostMs: this.#startedMs - atMs });
      onBack();
    } catch (thrown) {
      this.#starting?.terminate();
      this.#starting = undefined;
      if (this.#closing) return;
      events.restartFailed?.({ error: toCpcError(thrown), restartMs: this.#backOff() });
    }
  }

  /** Plans the next start; returns the time until then, in ms. */
  #backOff(): number {
    const { first, most } = BACK_OFF_MS;
    const ms = this.#failures === 0 ? 0 : Math.min(first * 2 ** (this.#failures - 1), most);
    this.#failures++;
    this.#restartAtMs = this.#options.nowMs() + ms;
    return ms;
  }
}

/** Loads the models, also those that come or go meanwhile. */
async function loadAll(worker: PoolWorker, loading: () => Loading): Promise<void> {
  let { models } = loading();
  await worker.load(loading());
  while (models !== loading().models) {
    const now = loading().models;
    worker.remove(models.filter((model) => !now.includes(model)).map(({ id }) => id));
    await worker.add(now.filter((model) => !models.includes(model)));
    models = now;
  }
}

function startModelWorker(): Worker {
  return startThread(new URL("./worker/worker.ts", import.meta.url), MODEL_WORKER_RIGHTS);
}
