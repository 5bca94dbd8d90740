/**
 * Small tables of dot products, in WebAssembly's 128-bit vectors: what a live score needs beside
 * any engine.
 */
import { dots, expSums, memory } from "./dot_products.wasm";

/** Floats that the kernel takes of a row at once, and the rows of a tile. */
const [STRIDE, TILE_LEFTS, TILE_RIGHTS, LANES] = [8, 4, 2, 4];
const [PAGE_BYTES, ALIGN_BYTES] = [65_536, 64];
const MOST_BYTES = 2 ** 32;

// All of a thread share one memory, which never shrinks. Pieces of it that were given back, by
// their size:
const givenBack = new Map<number, number[]>();
let usedBytes = 0;
let floats = new Float32Array(memory.buffer);
let words = new Uint32Array(memory.buffer);

/**
 * A piece of the memory, all zero.
 *
 * @returns its address
 * @throws {RangeError} when the memory, 4 GiB at most, is full
 */
function take(bytes: number): number {
  const at = givenBack.get(bytes)?.pop();
  if (at !== undefined) {
    floats.fill(0, at / 4, (at + bytes) / 4);
    return at;
  }
  const end = roundedUp(usedBytes + bytes, ALIGN_BYTES);
  // the kernel's addresses must not come round to 0
  if (end >= MOST_BYTES) throw new RangeError("the memory of dot products is full");
  const missing = end - memory.buffer.byteLength;
  if (missing > 0) {
    memory.grow(Math.ceil(missing / PAGE_BYTES));
    floats = new Float32Array(memory.buffer);
    words = new Uint32Array(memory.buffer);
  }
  const fresh = usedBytes;
  usedBytes = end;
  return fresh;
}

function giveBack(at: number, bytes: number): void {
  const others = givenBack.get(bytes);
  if (others) others.push(at);
  else givenBack.set(bytes, [at]);
}

/**
 * Rows of one width that stay where {@linkcode DotTable} can multiply them, zero at first, until
 * {@linkcode free}.
 */
export class DotRows {
  readonly #at: number;
  readonly #bytes: number;
  readonly #width: number;
  readonly #paddedWidth: number;

  /** @throws {RangeError} when the memory of all rows, 4 GiB at most, is full */
  constructor({ count, width }: { count: number; width: number }) {
    this.#width = width;
    this.#paddedWidth = roundedUp(width, STRIDE);
    this.#bytes = 4 * count * this.#paddedWidth;
    this.#at = take(this.#bytes);
  }

  /** Puts rows `[n, width]` from row `row` on. */
  set(row: number, data: Float32Array): void {
    const [width, padded] = [this.#width, this.#paddedWidth];
    let at = this.address(row) / 4;
    if (width === padded) return floats.set(data, at);
    for (let from = 0; from < data.length; from += width, at += padded) {
      floats.set(data.subarray(from, from + width), at);
    }
  }

  /** A copy of `count` rows `[count, width]` from row `row` on. */
  get(row: number, count: number): Float32Array {
    const [width, padded] = [this.#width, this.#paddedWidth];
    const at = this.address(row) / 4;
    if (width === padded) return floats.slice(at, at + count * width);
    const data = new Float32Array(count * width);
    for (let i = 0; i < count; i++) {
      data.set(floats.subarray(at + i * padded, at + i * padded + width), i * width);
    }
    return data;
  }

  /** Where row `row` stands. */
  address(row: number): number {
    return this.#at + 4 * row * this.#paddedWidth;
  }

  /** Gives the memory back; nothing may be done with the rows afterwards. */
  free(): void {
    giveBack(this.#at, this.#bytes);
  }
}

/**
 * A table to be computed: L rows on its left, R on its right, all of one width, chosen by their
 * addresses. Its own memory it keeps.
 */
export class DotTable {
  readonly #lefts: number;
  readonly #rights: number;
  readonly #widthBytes: number;
  // a piece of memory: the addresses of the left rows, those of the right ones, the products, and
  // of each row of these m and Σ exp(x − m)
  readonly #leftAt: number;
  readonly #rightAt: number;
  readonly #productsAt: number;
  readonly #sumsAt: number;
  readonly #products: Float32Array;
  readonly #sums: Float32Array;

  /** @throws {RangeError} when the memory of all rows, 4 GiB at most, is full */
  constructor({ lefts, rights, width }: { lefts: number; rights: number; width: number }) {
    const [paddedLefts, paddedRights] = [
      roundedUp(lefts, TILE_LEFTS),
      roundedUp(rights, TILE_RIGHTS),
    ];
    this.#lefts = lefts;
    this.#rights = rights;
    this.#widthBytes = 4 * roundedUp(width, STRIDE);
    this.#leftAt = take(
      4 * (paddedLefts + paddedRights + paddedLefts * paddedRights + 2 * paddedLefts),
    );
    this.#rightAt = this.#leftAt + 4 * paddedLefts;
    this.#productsAt = this.#rightAt + 4 * paddedRights;
    this.#sumsAt = this.#productsAt + 4 * paddedLefts * paddedRights;
    this.#products = new Float32Array(lefts * rights);
    this.#sums = new Float32Array(2 * lefts);
  }

  /** Row i of the left is the one at `address`; row 0 fills up the last tile too. */
  left(i: number, address: number): void {
    words[this.#leftAt / 4 + i] = address;
    if (i === 0) words.fill(address, this.#leftAt / 4 + this.#lefts, this.#rightAt / 4);
  }

  /** Row j of the right is the one at `address`; row 0 fills up the last tile too. */
  right(j: number, address: number): void {
    words[this.#rightAt / 4 + j] = address;
    if (j === 0) words.fill(address, this.#rightAt / 4 + this.#rights, this.#productsAt / 4);
  }

  /**
   * Every row of the left with every row of the right: `[L, R]`, valid until the next call. All
   * rows must have been chosen.
   */
  multiply(): Float32Array {
    this.#multiply();
    const [products, rights, padded] = [
      this.#products,
      this.#rights,
      (this.#productsAt - this.#rightAt) / 4,
    ];
    for (
      let at = 0, from = this.#productsAt / 4;
      at < products.length;
      at += rights, from += padded
    ) {
      for (let j = 0; j < rights; j++) products[at + j] = floats[from + j];
    }
    return products;
  }

  /**
   * Multiplies, and of the products x of each row of the left gives only their largest, m, and Σ
   * exp(x − m), to 1e-6 of it.
   *
   * @returns `[L, 2]`, valid until the next call
   * @throws {RangeError} when R is no multiple of 4
   */
  largestAndSums(): Float32Array {
    if (this.#rights % LANES !== 0) {
      throw new RangeError(
        `sums need a multiple of ${LANES} rows on the right, got ${this.#rights}`,
      );
    }
    this.#multiply();
    expSums(this.#productsAt, this.#sumsAt, 4 * this.#rights, this.#sumsAt);
    const sums = this.#sums;
    for (let i = 0; i < sums.length; i++) sums[i] = floats[this.#sumsAt / 4 + i];
    return sums;
  }

  #multiply(): void {
    dots(
      this.#leftAt,
      this.#rightAt,
      this.#rightAt,
      this.#productsAt,
      this.#widthBytes,
      this.#productsAt,
    );
  }
}

function roundedUp(n: number, step: number): number {
  return Math.ceil(n / step) * step;
}
