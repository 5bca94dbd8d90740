/** A mean that forgets. */

/** About a second of frames. */
const REMEMBERED = 100;

/** First the mean of all values, then of about the last second of frames. */
export class RecentMean {
  #count = 0;
  #mean = 0;

  /** Undefined before the first value. */
  get value(): number | undefined {
    return this.#count === 0 ? undefined : this.#mean;
  }

  /** @returns the mean, including this value */
  add(value: number): number {
    this.#count = Math.min(REMEMBERED, this.#count + 1);
    return this.#mean += (value - this.#mean) / this.#count;
  }
}
