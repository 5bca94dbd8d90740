/** The newest values of a stream. */

/** Columns that a scrolling picture shows: 8 s of frames. */
export const COLUMNS = 800;

/** Keeps as many values as a picture has columns. */
export class Ring<T> {
  #values: T[] = [];
  #total = 0;

  /** How many came since the start. */
  get total(): number {
    return this.#total;
  }

  /** The newest; undefined before there is any. */
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

  /** The value number `index` since the start; undefined when it is gone or has not come. */
  at(index: number): T | undefined {
    const isKept = index < this.#total && index >= this.#total - COLUMNS;
    return isKept ? this.#values[index % COLUMNS] : undefined;
  }

  /** What is kept, oldest first. */
  *[Symbol.iterator](): Generator<T> {
    const head = this.#total % COLUMNS;
    if (this.#total > COLUMNS) yield* this.#values.slice(head);
    yield* this.#values.slice(0, this.#total > COLUMNS ? head : this.#total);
  }
}
