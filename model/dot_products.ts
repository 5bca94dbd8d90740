/** Small tables of dot products, in WebAssembly's 128-bit vectors: what a live score needs beside any engine. */
import { dots, memory } from "./dot_products.wasm";

/** Floats of a vector, and the rows of a tile that the kernel takes at once. */
const [LANES, TILE_ROWS, TILE_COLUMNS] = [4, 4, 2];
const PAGE_BYTES = 65_536;

/** A table to be computed: R rows · M columns of one width. All tables of a thread share one memory: fill, then multiply at once. */
export class DotTable {
  readonly #width: number;
  readonly #columns: number;
  readonly #paddedRows: number;
  readonly #paddedColumns: number;
  readonly #paddedWidth: number;
  /** Bytes from the memory's beginning; the left matrix stands at 0. */
  readonly #rightAt: number;
  readonly #outAt: number;
  readonly #out: Float32Array;
  #floats: Float32Array;

  /** @param shape `rows` R, `columns` M, `width` of the rows multiplied */
  constructor({ rows, columns, width }: { rows: number; columns: number; width: number }) {
    this.#width = width;
    this.#columns = columns;
    this.#paddedRows = roundedUp(rows, TILE_ROWS);
    this.#paddedColumns = roundedUp(columns, TILE_COLUMNS);
    this.#paddedWidth = roundedUp(width, LANES);
    this.#rightAt = 4 * this.#paddedRows * this.#paddedWidth;
    this.#outAt = this.#rightAt + 4 * this.#paddedColumns * this.#paddedWidth;
    const bytes = this.#outAt + 4 * this.#paddedRows * this.#paddedColumns;
    const missing = bytes - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
    this.#floats = new Float32Array(memory.buffer);
    this.#out = new Float32Array(rows * columns);
  }

  /** Puts rows `[n, width]` into the left matrix from row `row` on. */
  left(row: number, data: Float32Array): void {
    this.#place(row * this.#paddedWidth, data);
  }

  /** Puts rows `[n, width]` into the right matrix from row `row` on. */
  right(row: number, data: Float32Array): void {
    this.#place(this.#rightAt / 4 + row * this.#paddedWidth, data);
  }

  /** Every row of the left with every row of the right matrix: `[R, M]`, valid until the next call. */
  multiply(): Float32Array {
    dots(this.#paddedRows, this.#paddedColumns, 4 * this.#paddedWidth, 0, this.#rightAt, this.#outAt);
    const [out, M] = [this.#out, this.#columns];
    for (let at = 0, from = this.#outAt / 4; at < out.length; at += M, from += this.#paddedColumns) {
      for (let m = 0; m < M; m++) out[at + m] = this.#floats[from + m];
    }
    return out;
  }

  #place(at: number, data: Float32Array): void {
    if (this.#floats.length === 0) this.#floats = new Float32Array(memory.buffer); // another table has grown the memory
    const [width, padded] = [this.#width, this.#paddedWidth];
    if (width === padded) return this.#floats.set(data, at);
    for (let from = 0; from < data.length; from += width, at += padded) {
      this.#floats.set(data.subarray(from, from + width), at);
      this.#floats.fill(0, at + width, at + padded);
    }
  }
}

function roundedUp(n: number, step: number): number {
  return Math.ceil(n / step) * step;
}
