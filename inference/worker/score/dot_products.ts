/**
 * Small tables of dot products, in WebAssembly's 128-bit vectors: what a live score needs next to
 * any engine. Nothing outside this file knows where a row is in the kernel's memory.
 */
import { CpcError } from "../../../errors.ts";
import { dots, expSums, memory } from "./dot_products.wasm";

/** Floats of a row that the kernel takes at once, and the rows of a tile. */
const [STRIDE, TILE_LEFTS, TILE_RIGHTS, LANES] = [8, 4, 2, 4];
const [PAGE_BYTES, ALIGN_BYTES] = [65_536, 64];
const MOST_BYTES = 2 ** 32;

// Everything in a thread shares one memory, which never shrinks. Freed pieces of it, by size:
const givenBack = new Map<number, number[]>();
let usedBytes = 0;
let floats = new Float32Array(memory.buffer);
let words = new Uint32Array(memory.buffer);

/**
 * A piece of the memory, all zero.
 *
 * @returns its address
 * @throws {CpcError} `overloaded` if the memory, 4 GiB at most, is full
 */
function take(bytes: number): number {
  const at = givenBack.get(bytes)?.pop();
  if (at !== undefined) {
    floats.fill(0, at / 4, (at + bytes) / 4);
    return at;
  }
  const end = roundedUp(usedBytes + bytes, ALIGN_BYTES);
  if (end > memory.buffer.byteLength) growTo(end);
  const fresh = usedBytes;
  usedBytes = end;
  return fresh;
}

function growTo(bytes: number): void {
  try {
    // the kernel's addresses must not come round to 0
    if (bytes >= MOST_BYTES) throw new RangeError(`${bytes} bytes are more than it can address`);
    memory.grow(Math.ceil((bytes - memory.buffer.byteLength) / PAGE_BYTES));
  } catch (cause) {
    const message = "this worker has no memory left for another stream's score";
    throw new CpcError("overloaded", message, { cause });
  }
  floats = new Float32Array(memory.buffer);
  words = new Uint32Array(memory.buffer);
}

function giveBack(at: number, bytes: number): void {
  const others = givenBack.get(bytes);
  if (others) others.push(at);
  else givenBack.set(bytes, [at]);
}

/** Where a row stands: {@linkcode DotTable}'s alone to know. */
let addressOf: (rows: DotRows, row: number) => number;

/**
 * Rows of one width, zero at first, which {@linkcode DotTable} can multiply until {@linkcode free}.
 */
export class DotRows {
  static {
    addressOf = (rows, row) => rows.#address(row);
  }

  readonly #at: number;
  readonly #bytes: number;
  readonly #width: number;
  readonly #paddedWidth: number;

  /** @throws {CpcError} `overloaded` if the memory of all rows, 4 GiB at most, is full */
  constructor({ count, width }: { count: number; width: number }) {
    this.#width = width;
    this.#paddedWidth = roundedUp(width, STRIDE);
    this.#bytes = 4 * count * this.#paddedWidth;
    this.#at = take(this.#bytes);
  }

  /** Puts rows `[n, width]` from row `row` on. */
  set(row: number, data: Float32Array): void {
    const [width, padded] = [this.#width, this.#paddedWidth];
    let at = this.#address(row) / 4;
    if (width === padded) return floats.set(data, at);
    for (let from = 0; from < data.length; from += width, at += padded) {
      floats.set(data.subarray(from, from + width), at);
    }
  }

  /** A copy of `count` rows `[count, width]` from row `row` on. */
  get(row: number, count: number): Float32Array {
    const [width, padded] = [this.#width, this.#paddedWidth];
    const at = this.#address(row) / 4;
    if (width === padded) return floats.slice(at, at + count * width);
    const data = new Float32Array(count * width);
    for (let i = 0; i < count; i++) {
      data.set(floats.subarray(at + i * padded, at + i * padded + width), i * width);
    }
    return data;
  }

  /** Frees the memory; the rows must not be used afterwards. */
  free(): void {
    giveBack(this.#at, this.#bytes);
  }

  #address(row: number): number {
    return this.#at + 4 * row * this.#paddedWidth;
  }
}

/** Some of the rows of a {@linkcode DotRows}, by their numbers. */
export interface ChosenRows {
  readonly of: DotRows;
  readonly numbers: ArrayLike<number>;
}

/**
 * A table of products: L rows on its left, R on its right, all of one width. It keeps its own
 * memory.
 */
export class DotTable {
  readonly #lefts: number;
  readonly #rights: number;
  readonly #widthBytes: number;
  // a piece of memory: the addresses of the left rows, those of the right ones, the products, and
  // of each row of these m and Σ exp(x − m)
  readonly #bytes: number;
  readonly #leftAt: number;
  readonly #rightAt: number;
  readonly #productsAt: number;
  readonly #sumsAt: number;
  readonly #products: Float32Array;
  readonly #sums: Float32Array;

  /** @throws {CpcError} `overloaded` if the memory of all rows, 4 GiB at most, is full */
  constructor({ lefts, rights, width }: { lefts: number; rights: number; width: number }) {
    const [paddedLefts, paddedRights] = [
      roundedUp(lefts, TILE_LEFTS),
      roundedUp(rights, TILE_RIGHTS),
    ];
    this.#lefts = lefts;
    this.#rights = rights;
    this.#widthBytes = 4 * roundedUp(width, STRIDE);
    this.#bytes = 4 *
      (paddedLefts + paddedRights + paddedLefts * paddedRights + 2 * paddedLefts);
    this.#leftAt = take(this.#bytes);
    this.#rightAt = this.#leftAt + 4 * paddedLefts;
    this.#productsAt = this.#rightAt + 4 * paddedRights;
    this.#sumsAt = this.#productsAt + 4 * paddedLefts * paddedRights;
    this.#products = new Float32Array(lefts * rights);
    this.#sums = new Float32Array(2 * lefts);
  }

  /**
   * Multiplies every row of the left with every row of the right: `[L, R]`, valid until the next
   * call.
   *
   * @throws {RangeError} unless L and R rows are chosen
   */
  multiply(left: ChosenRows, right: ChosenRows): Float32Array {
    this.#multiply(left, right);
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
   * Multiplies, but returns, for the products x of each row of the left, only the largest, m, and Σ
   * exp(x − m), to 1e-6 of it.
   *
   * @returns `[L, 2]`, valid until the next call
   * @throws {RangeError} unless L and R rows are chosen, and R is a multiple of 4
   */
  largestAndSums(left: ChosenRows, right: ChosenRows): Float32Array {
    if (this.#rights % LANES !== 0) {
      throw new RangeError(
        `sums need a multiple of ${LANES} rows on the right, got ${this.#rights}`,
      );
    }
    this.#multiply(left, right);
    expSums(this.#productsAt, this.#sumsAt, 4 * this.#rights, this.#sumsAt);
    const sums = this.#sums;
    for (let i = 0; i < sums.length; i++) sums[i] = floats[this.#sumsAt / 4 + i];
    return sums;
  }

  /** Frees the memory; the table must not be used afterwards. */
  free(): void {
    giveBack(this.#leftAt, this.#bytes);
  }

  #multiply(left: ChosenRows, right: ChosenRows): void {
    writeAddresses(left, { count: this.#lefts, from: this.#leftAt, to: this.#rightAt });
    writeAddresses(right, { count: this.#rights, from: this.#rightAt, to: this.#productsAt });
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

/** Writes the addresses of `count` rows; the first row fills up the last tile. */
function writeAddresses(
  { of, numbers }: ChosenRows,
  { count, from, to }: { count: number; from: number; to: number },
): void {
  if (numbers.length !== count) {
    throw new RangeError(`a side of this table takes ${count} rows, got ${numbers.length}`);
  }
  for (let i = 0; i < count; i++) words[from / 4 + i] = addressOf(of, numbers[i]);
  words.fill(addressOf(of, numbers[0]), from / 4 + count, to / 4);
}

function roundedUp(n: number, step: number): number {
  return Math.ceil(n / step) * step;
}
