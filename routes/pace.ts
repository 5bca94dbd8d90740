/** The smallest throughput of a client, whom a request's memory waits for. */

/** Timers of more milliseconds run at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Patience with a client: it may stall for a while, and then has to keep up a rate. It earns time
 * with what it sends or reads, and never has more than at first.
 */
export class Pace {
  readonly #stallMs: number;
  readonly #bytesPerS: number;
  #leftMs: number;

  /**
   * @param options `stallMs`: the longest pause; `bytesPerS`: the slowest rate over longer times
   */
  constructor({ stallMs, bytesPerS }: { stallMs: number; bytesPerS: number }) {
    this.#stallMs = this.#leftMs = Math.min(stallMs, LONGEST_TIMER_MS);
    this.#bytesPerS = bytesPerS;
  }

  /** How long the client may be waited for now. */
  get leftMs(): number {
    return this.#leftMs;
  }

  /** The client was waited for, and has sent or read some bytes. */
  waited(ms: number, bytes: number): void {
    const earnedMs = bytes / this.#bytesPerS * 1000;
    this.#leftMs = Math.min(this.#stallMs, Math.max(0, this.#leftMs - ms) + earnedMs);
  }
}
