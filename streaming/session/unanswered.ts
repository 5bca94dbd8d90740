/** Writes that a store has not answered yet. */

/** How long a store may take to answer before it counts as down. */
export const SILENT_MS = 1000;

/** A write without an answer. */
export interface Write {
  readonly sinceMs: number;
  readonly bytes: number;
}

/** How much waits for a store's answers, and for how long. */
export class Unanswered {
  readonly #waiting = new Set<Write>();
  #bytes = 0;
  /** Was late when it was last looked at. */
  #late?: Write;

  /** Bytes of all of them. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** A write goes to the store. */
  add(write: Write): Write {
    this.#waiting.add(write);
    this.#bytes += write.bytes;
    return write;
  }

  /** The store has answered it, or never will. */
  settled(write: Write): void {
    if (this.#waiting.delete(write)) this.#bytes -= write.bytes;
  }

  /** No answer counts any more. */
  clear(): void {
    this.#waiting.clear();
    this.#bytes = 0;
  }

  /**
   * Whether the store is silent: the oldest write has waited for too long, and was found late by a
   * look before, since its answer may only wait for this thread, which was busy.
   */
  look(nowMs: number): boolean {
    const [oldest] = this.#waiting;
    if (!oldest) return false;
    const waitedMs = nowMs - oldest.sinceMs;
    if (oldest === this.#late) return waitedMs > SILENT_MS;
    if (waitedMs > SILENT_MS / 2) this.#late = oldest;
    return false;
  }
}
