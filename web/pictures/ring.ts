/** The newest values of a stream. */

/** The span of all pictures over time. */
export const SHOWN_SECONDS = 8;
/** Columns of a scrolling picture, one for each frame. */
export const COLUMNS = SHOWN_SECONDS * 100;

/** Keeps as many values as a picture has columns. */
export class Ring<T> {
  #values: T[] = [];
  #total = 0;

  /** Number of values since the start. */
  get total(): number {
    return this.#total;
  }

  /** The newest value; undefined before the first. */
  get last(): T | undefined {
    return this.at(this.#total - 1);
  }

  push(value: T): void {
    this.#values[this.#total++ % COLUMNS] = value;
  }

  clear(): void {
    this.#values = [];
    this.#total = 0;
  }

  /** Value number `index` since the start; undefined if it is gone or has not arrived. */
  at(index: number): T | undefined {
    const isKept = index < this.#total && index >= this.#total - COLUMNS;
    return isKept ? this.#values[index % COLUMNS] : undefined;
  }

  /** The kept values, oldest first. */
  *[Symbol.iterator](): Generator<T> {
    const head = this.#total % COLUMNS;
    if (this.#total > COLUMNS) yield* this.#values.slice(head);
    yield* this.#values.slice(0, this.#total > COLUMNS ? head : this.#total);
  }
}
