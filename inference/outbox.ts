/** Messages to a model worker's thread, which go together: one costs as much as its audio. */
import { clearImmediate, setImmediate } from "node:timers";
import type { ToWorker } from "./messages.ts";

/** What two turns of the event loop have for a thread. */
export class Outbox {
  /** How many posts there were, in memory that the thread sees: it listens only for what comes. */
  readonly posted = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly #worker: Pick<Worker, "postMessage">;
  #messages: ToWorker[] = [];
  #transfers: Transferable[] = [];
  #posting?: ReturnType<typeof setImmediate>;

  constructor(worker: Pick<Worker, "postMessage">) {
    this.#worker = worker;
  }

  /**
   * Posts a message after two turns of the event loop. A store's client writes within them, so what
   * a stream heard lies in the store's connection before its frames can be sent.
   */
  add(message: ToWorker, transfer: readonly Transferable[]): void {
    this.#messages.push(message);
    if (transfer.length > 0) this.#transfers.push(...transfer);
    this.#posting ??= setImmediate(() => {
      this.#posting = setImmediate(() => this.#post());
    });
  }

  /** Posts nothing any more. */
  close(): void {
    clearImmediate(this.#posting);
  }

  #post(): void {
    this.#posting = undefined;
    const [messages, transfers] = [this.#messages, this.#transfers];
    [this.#messages, this.#transfers] = [[], []];
    Atomics.add(this.posted, 0, 1);
    if (transfers.length > 0) this.#worker.postMessage(messages, transfers);
    else this.#worker.postMessage(messages); // Deno does so quickly without a second argument
  }
}
