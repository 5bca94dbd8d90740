/** Messages to a model worker's thread, which go together: one costs as much as its audio. */
import { clearImmediate, setImmediate } from "node:timers";
import type { ToWorker } from "./messages.ts";

/** What two turns of the event loop have for a thread. */
export class Outbox {
  readonly #worker: Worker;
  #messages: ToWorker[] = [];
  #transfers: Transferable[] = [];
  #posting?: ReturnType<typeof setImmediate>;

  constructor(worker: Worker) {
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
    if (transfers.length > 0) this.#worker.postMessage(messages, transfers);
    else this.#worker.postMessage(messages); // Deno does so quickly without a second argument
  }
}
