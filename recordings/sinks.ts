/** Collects an output's rows as they are computed: all of them, or one vector. */

/** All rows. */
export class Rows {
  readonly #data: Float32Array;
  #length = 0;
  constructor(rows: number, width: number) {
    this.#data = new Float32Array(rows * width);
  }
  add(rows: Float32Array): void {
    this.#data.set(rows, this.#length);
    this.#length += rows.length;
  }
  result(): Float32Array {
    return this.#data;
  }
}

/** Reduces all rows to one: their mean, maximum, or the last. */
export class Pooled {
  readonly #values: Float64Array;
  readonly #kind: "mean" | "max" | "last";
  #rows = 0;
  constructor(kind: "mean" | "max" | "last", width: number) {
    this.#kind = kind;
    this.#values = new Float64Array(width).fill(kind === "max" ? -Infinity : 0);
  }
  add(rows: Float32Array): void {
    const values = this.#values;
    for (let at = 0; at < rows.length; at += values.length, this.#rows++) {
      for (let i = 0; i < values.length; i++) {
        const x = rows[at + i]!;
        const value = values[i]!;
        if (this.#kind === "mean") values[i] = value + x;
        else if (this.#kind === "last" || x > value) values[i] = x;
      }
    }
  }
  result(): Float32Array {
    return Float32Array.from(this.#values, (x) => this.#kind === "mean" ? x / this.#rows : x);
  }
}
