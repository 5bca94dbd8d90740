/**
 * Leases on a worker's slots. A generation fences each lease, and it is returned once, so two
 * streams never share a slot.
 */
import type { Lease } from "./messages.ts";

/**
 * The slots of one worker. A stream of several channels takes one for each. Its last ones may lie
 * beyond the table's size, so that a stream wider than a worker's share finds room; who leases
 * bounds the sum over all workers.
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
  /** Slots that each lease in force takes, by its index. */
  readonly #widths = new Map<number, number>();
  readonly #free: number[];
  #leased = 0;

  /** @param size number of slots */
  constructor(size: number) {
    this.size = size;
    this.#free = Array.from({ length: size }, (_, i) => size - 1 - i);
  }

  /** Slots in use. */
  get leased(): number {
    return this.#leased;
  }

  /** A lease on so many slots; undefined when all are taken. */
  lease(slots = 1): Lease | undefined {
    const index = this.#leased < this.size ? this.#free.pop() : undefined;
    if (index === undefined) return undefined;
    this.#widths.set(index, slots);
    this.#leased += slots;
    const generation = (this.#generations[index] ?? 0) + 1;
    this.#generations[index] = generation;
    return { index, generation };
  }

  /** Whether this lease is in force. */
  isCurrent({ index, generation }: Lease): boolean {
    return this.#generations[index] === generation;
  }

  /** Returns a lease's slots; false if it was returned before. */
  release(lease: Lease): boolean {
    if (!this.isCurrent(lease)) return false;
    this.#generations[lease.index] = lease.generation + 1;
    this.#free.push(lease.index);
    this.#leased -= this.#widths.get(lease.index) ?? 0;
    this.#widths.delete(lease.index);
    return true;
  }

  /** Returns all slots. */
  clear(): void {
    for (const index of [...this.#widths.keys()]) {
      this.release({ index, generation: this.#generations[index]! }); // it has been leased
    }
  }
}
