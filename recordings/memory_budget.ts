/** Bounds the memory that all requests of a server hold together. */
import { CpcError } from "../errors.ts";

/**
 * Memory that all requests share.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { MemoryBudget } from "./memory_budget.ts";
 *
 * const budget = new MemoryBudget(1000);
 * const share = budget.share();
 * share.take(800);
 * assert.throws(() => budget.share().take(800), { code: "overloaded" });
 * share.giveBack();
 * assert.equal(budget.freeBytes, 1000);
 * ```
 */
export class MemoryBudget {
  #bytes: number;
  #freeBytes: number;

  constructor(bytes: number) {
    this.#bytes = this.#freeBytes = bytes;
  }

  /** Makes it larger or smaller; what is held beyond it stays held, and no more is given. */
  resize(bytes: number): void {
    this.#freeBytes += bytes - this.#bytes;
    this.#bytes = bytes;
  }

  /** Unused bytes. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** A request's share, empty at first. */
  share(): MemoryShare {
    let held = 0;
    return {
      take: (bytes) => {
        if (bytes > this.#freeBytes) {
          const why =
            "the current requests hold all the memory available to requests; try again later";
          throw new CpcError("overloaded", why, { retryAfterMs: 5000 });
        }
        this.#freeBytes -= bytes;
        held += bytes;
      },
      giveBack: (bytes = held) => {
        this.#freeBytes += bytes;
        held -= bytes;
      },
    };
  }
}

/** One request's share. */
export interface MemoryShare {
  /** Takes more. @throws {CpcError} `overloaded` if there is not enough */
  take(bytes: number): void;
  /** Returns a part, or all. */
  giveBack(bytes?: number): void;
}
