/**
 * Leases on a worker's slots. A generation fences each lease, and it is returned once, so two
 * streams never share a slot.
 */
import type { Lease } from "./messages.ts";

/**
 * The slots of one worker.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { SlotTable } from "./slots.ts";
 *
 * const slots = new SlotTable(1);
 * const old = slots.lease()!;
 * assert.equal(slots.lease(), undefined);
 * slots.release(old);
 * slots.lease();
 * assert.equal(slots.isCurrent(old), false);
 * ```
 */
export class SlotTable {
  readonly size: number;
  /** The generation of each slot that was ever leased. */
  readonly #generations: number[] = [];
  readonly #free: number[];

  /** @param size slots in the worker's arena */
  constructor(size: number) {
    this.size = size;
    this.#free = Array.from({ length: size }, (_, i) => size - 1 - i);
  }

  /** Slots in use. */
  get leased(): number {
    return this.size - this.#free.length;
  }

  /** A lease on a free slot; undefined when all are taken. */
  lease(): Lease | undefined {
    const index = this.#free.pop();
    if (index === undefined) return undefined;
    const generation = (this.#generations[index] ?? 0) + 1;
    this.#generations[index] = generation;
    return { index, generation };
  }

  /** Whether this is the current lease on its slot. */
  isCurrent({ index, generation }: Lease): boolean {
    return this.#generations[index] === generation;
  }

  /** Returns a slot; false if this lease was returned before. */
  release(lease: Lease): boolean {
    if (!this.isCurrent(lease)) return false;
    this.#generations[lease.index] = lease.generation + 1;
    this.#free.push(lease.index);
    return true;
  }

  /** Returns all slots. */
  clear(): void {
    const free = new Set(this.#free);
    for (const [index, generation] of this.#generations.entries()) {
      if (generation !== undefined && !free.has(index)) this.release({ index, generation });
    }
  }
}
