/** What one hop of one stream costs: the basis of admission. */

/** Hops in a step from which on its time per hop is what a full server would see. */
export const BATCHED_ROWS = 8;
/** Weight of one step in the running estimate. */
const WEIGHT = 1 / 32;

/**
 * Seconds of a worker per hop, followed through the steps that are really taken.
 *
 * A hop costs the less the more share its step, and admission asks for the cost on a full server.
 * Steps of few hops therefore only correct an estimate that is too high (the machine was busy when
 * it was measured); steps of {@linkcode BATCHED_ROWS} and more move it both ways.
 */
export class HopCost {
  #seconds: number;

  /** @param seconds per hop, as measured at start */
  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  /** Seconds per hop. */
  get seconds(): number {
    return this.#seconds;
  }

  /** A step of `rows` hops, over all its streams, took `seconds`. */
  observe({ rows, seconds }: { rows: number; seconds: number }): void {
    const perHop = seconds / rows;
    if (rows >= BATCHED_ROWS) this.#seconds += (perHop - this.#seconds) * WEIGHT;
    else this.#seconds = Math.min(this.#seconds, perHop);
  }
}
