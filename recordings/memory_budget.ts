/** Bounds the memory that all requests of a server hold together, and those of one key. */
import { shownBytes } from "../config/memory.ts";
import { CpcError } from "../errors.ts";

/** What the requests of one owner may hold, as a share of the whole: some is left to others. */
const OWNER_SHARE = 3 / 4;
/** When a refused client may try again, in milliseconds. */
const RETRY_MS = 5000;

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
  /** What each owner's requests hold. */
  readonly #heldBytes = new Map<string, number>();

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

  /**
   * A request's share, empty at first.
   *
   * @param owner whose request it is; without one, it may take all there is
   */
  share(owner?: string): MemoryShare {
    let held = 0;
    const count = (bytes: number) => {
      this.#freeBytes -= bytes;
      held += bytes;
      if (owner === undefined) return;
      const ownBytes = this.#of(owner) + bytes;
      if (ownBytes === 0) this.#heldBytes.delete(owner);
      else this.#heldBytes.set(owner, ownBytes);
    };
    return {
      take: (bytes) => {
        const most = owner === undefined ? this.#bytes : OWNER_SHARE * this.#bytes;
        if (held + bytes > most) {
          const why = `the request needs more than the ${shownBytes(most, Math.floor)} that one ` +
            "may hold of all requests' memory (--memory-budget); send its recordings one by one, " +
            "or in parts";
          throw new CpcError("too_large", why);
        }
        if (bytes > this.#freeBytes) {
          const why =
            "the current requests hold all the memory available to requests; try again later";
          throw new CpcError("overloaded", why, { retryAfterMs: RETRY_MS });
        }
        if (owner !== undefined && this.#of(owner) + bytes > OWNER_SHARE * this.#bytes) {
          const why = "the current requests of this client hold what one may hold of all " +
            "requests' memory; try again later";
          throw new CpcError("rate_limited", why, { retryAfterMs: RETRY_MS });
        }
        count(bytes);
      },
      giveBack: (bytes = held) => count(-bytes),
    };
  }

  #of(owner: string): number {
    return this.#heldBytes.get(owner) ?? 0;
  }
}

/** One request's share. */
export interface MemoryShare {
  /**
   * Takes more.
   *
   * @throws {CpcError} `too_large` if it would never fit; `overloaded` if there is not enough;
   *   `rate_limited` if its owner's requests would hold too much of it
   */
  take(bytes: number): void;
  /** Returns a part, or all. */
  giveBack(bytes?: number): void;
}
