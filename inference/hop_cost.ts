/** The cost of one hop of one stream, on which admission rests. */

/** From this many hops, a step's time per hop is that of a full server. */
export const BATCHED_ROWS = 8;
/** Weight of one step in the running estimate. */
const WEIGHT = 1 / 32;

/**
 * Seconds of a worker per hop, updated from the steps that it really takes.
 *
 * The more hops share a step, the less each one costs, and admission asks for the cost on a full
 * server. So steps of few hops only correct an estimate that is too high (because the machine was
 * busy during the measurement). Steps of {@linkcode BATCHED_ROWS} hops and more move it both ways.
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
