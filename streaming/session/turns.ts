/** Work that takes turns: so much at once, and so much that waits. */

/** Turns for asynchronous work, first come, first served. */
export class Turns {
  readonly #most: number;
  readonly #mostWaiting: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param options `most`: at once; `mostWaiting`: beyond these */
  constructor({ most, mostWaiting }: { most: number; mostWaiting: number }) {
    this.#most = most;
    this.#mostWaiting = mostWaiting;
  }

  /** Whether no more may wait. */
  get full(): boolean {
    return this.#waiting.length >= this.#mostWaiting;
  }

  /** Whether nothing runs, so nothing waits. */
  get idle(): boolean {
    return this.#running === 0;
  }

  /** Does work when it is its turn. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#most) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift(); // it takes this turn over
      if (next) next();
      else this.#running--;
    }
  }
}
