/** How much memory the requests of a server may hold together. */
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
  #freeBytes: number;

  constructor(bytes: number) {
    this.#freeBytes = bytes;
  }

  /** Bytes that nobody holds. */
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
            "the requests under way hold all the memory there is for them; try again later";
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

/** What one request holds. */
export interface MemoryShare {
  /** Takes more. @throws {CpcError} `overloaded` when there is not as much */
  take(bytes: number): void;
  /** Gives a part back, or all. */
  giveBack(bytes?: number): void;
}
