/**
 * Context networks alone, in a thread of their own. A recording's latents may be computed in any
 * order; its contexts only one after the other.
 */
import { CpcError } from "../errors.ts";
import type { Weights } from "../model/weights.ts";
import { startThread } from "../threads.ts";
import { MODEL_WORKER_RIGHTS } from "./worker_place.ts";

/** Latents to continue with. */
export interface RecurrenceInput {
  /** Id of a model of the pool. */
  readonly model: string;
  /** `[T, Z]`, transferred */
  readonly latent: Float32Array<ArrayBuffer>;
  /** The context network's part of the state; zeros at the start */
  readonly state: Float32Array;
}

/** The same latents, and what follows from them. */
export interface RecurrenceOutput {
  /** `[T, Z]` */
  readonly latent: Float32Array<ArrayBuffer>;
  /** `[T, C]` */
  readonly context: Float32Array<ArrayBuffer>;
  readonly state: Float32Array<ArrayBuffer>;
}

/** To the thread. */
export type ToRecurrence =
  | { type: "load"; models: readonly Weights[] }
  | ({ type: "run"; id: number } & RecurrenceInput)
  | { type: "close" };

/** From the thread. */
export type FromRecurrence =
  | ({ type: "done"; id: number } & RecurrenceOutput)
  | { type: "failed"; id: number; message: string }
  | { type: "closed" };

/** The thread, which starts at first use, and again if it broke down. */
export class Recurrence {
  #models: readonly Weights[];
  readonly #pending = new Map<number, PromiseWithResolvers<RecurrenceOutput>>();
  #thread?: Worker;
  /** Of the thread that is there. */
  #closed = Promise.withResolvers<void>();
  #lastId = 0;

  constructor(models: readonly Weights[]) {
    this.#models = models;
  }

  /** The models in place of those so far. */
  set models(models: readonly Weights[]) {
    this.#models = models;
    if (this.#thread) this.#post(this.#thread, { type: "load", models });
  }

  /** @throws {CpcError} `model_failed` */
  run(input: RecurrenceInput): Promise<RecurrenceOutput> {
    const thread = this.#thread ??= this.#start();
    const id = ++this.#lastId;
    const pending = Promise.withResolvers<RecurrenceOutput>();
    this.#pending.set(id, pending);
    this.#post(thread, { type: "run", id, ...input }, [input.latent.buffer]);
    return pending.promise;
  }

  /** Ends the thread once it has done what it was asked. */
  async close(): Promise<void> {
    if (!this.#thread) return;
    this.#post(this.#thread, { type: "close" });
    await this.#closed.promise;
  }

  #start(): Worker {
    const thread = startThread(
      new URL("./worker/recurrence_worker.ts", import.meta.url),
      MODEL_WORKER_RIGHTS,
    );
    this.#closed = Promise.withResolvers();
    thread.onmessage = ({ data }: MessageEvent<FromRecurrence>) => this.#receive(data);
    thread.onerror = (event) => {
      event.preventDefault();
      this.#thread = undefined;
      for (const { reject } of this.#pending.values()) reject(failed(event.message));
      this.#pending.clear();
      this.#closed.resolve();
    };
    this.#post(thread, { type: "load", models: this.#models });
    return thread;
  }

  #post(thread: Worker, message: ToRecurrence, transfer: Transferable[] = []): void {
    thread.postMessage(message, transfer);
  }

  #receive(message: FromRecurrence): void {
    if (message.type === "closed") {
      this.#thread?.terminate();
      this.#closed.resolve();
      return;
    }
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (message.type === "done") pending?.resolve(message);
    else pending?.reject(failed(message.message));
  }
}

function failed(why: string): CpcError {
  return new CpcError("model_failed", `the context network failed: ${why}`);
}
