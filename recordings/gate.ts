/** Bounds how many tasks run at once; others wait. */
import { CpcError } from "../errors.ts";

/**
 * A number of places. Those who find none wait in order of arrival.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { Gate } from "./gate.ts";
 *
 * const gate = new Gate({ places: 1, maxWaiting: 8 });
 * const leave = await gate.enter();
 * const next = gate.enter();
 * leave();
 * await next;
 * ```
 */
export class Gate {
  readonly #maxWaiting: number;
  readonly #waiting = new Set<() => void>();
  #free: number;

  /** @param options `places`: how many run at once; `maxWaiting`: how many may wait for a place */
  constructor({ places, maxWaiting }: { places: number; maxWaiting: number }) {
    this.#free = places;
    this.#maxWaiting = maxWaiting;
  }

  /**
   * Waits for a place.
   *
   * @param signal aborting it ends the wait
   * @returns a function that returns the place; calling it again does nothing
   * @throws {CpcError} `overloaded` if too many wait already; the signal's reason
   */
  async enter(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#wait(signal);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const [next] = this.#waiting;
      if (next) next(); // the place goes from hand to hand
      else this.#free++;
    };
  }

  #wait(signal?: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.#maxWaiting) {
      throw new CpcError(
        "overloaded",
        `${this.#waiting.size} recordings are already waiting; try again later`,
        {
          retryAfterMs: 2000,
        },
      );
    }
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        this.#waiting.delete(enter);
        signal?.removeEventListener("abort", abort);
        settle();
      };
      const enter = () => end(resolve);
      const abort = () => end(() => reject(signal?.reason));
      this.#waiting.add(enter);
      signal?.addEventListener("abort", abort);
    });
  }
}

/** One request's way through a gate, or through none. */
export class TimedGate {
  readonly #gate: Gate | undefined;
  #longestWaitMs = 0;

  constructor(gate: Gate | undefined) {
    this.#gate = gate;
  }

  /** The request's longest wait for a place. */
  get longestWaitMs(): number {
    return this.#longestWaitMs;
  }

  /** Like {@linkcode Gate.enter}; without a gate, there is always a place. */
  async enter(signal?: AbortSignal): Promise<() => void> {
    const startedMs = performance.now();
    const leave = await this.#gate?.enter(signal);
    this.#longestWaitMs = Math.max(this.#longestWaitMs, performance.now() - startedMs);
    return leave ?? (() => {});
  }
}
