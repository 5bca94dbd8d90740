/** Reads numbers and texts from bytes, in order, and never past their end. */
import { refuse } from "./refuse.ts";

/** Longest integer, text and line (the name of a module or function), in bytes. */
const MAX_INTEGER_BYTES = 64;
const MAX_TEXT_BYTES = 1024 * 1024;
const MAX_LINE_BYTES = 256;

/** A cursor over bytes; numbers are little-endian unless the method's name says otherwise. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #decoder = new TextDecoder();
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
  }

  /** The next byte's index. */
  get at(): number {
    return this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** An unsigned 64-bit length; a length too large for any file stays too large for any file. */
  length8(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  f64BigEndian(): number {
    return this.#view.getFloat64(this.#take(8), false);
  }

  /** A two's complement integer of `length` bytes; a bigint beyond ±2^53. */
  integer(length: number): number | bigint {
    if (length > MAX_INTEGER_BYTES) {
      refuse(
        `its pickle has an integer of ${length} bytes; at most ${MAX_INTEGER_BYTES} are allowed`,
      );
    }
    const digits = this.bytes(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = value << 8n | BigInt(digits[i]!);
    value = BigInt.asIntN(8 * length, value);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  /** The next `length` bytes; a view, not a copy. */
  bytes(length: number): Uint8Array {
    const from = this.#take(length);
    return this.#bytes.subarray(from, from + length);
  }

  /** The next `length` bytes as UTF-8. */
  text(length: number): string {
    const bytes = this.bytes(length);
    if (length > MAX_TEXT_BYTES) {
      refuse(`its pickle has a text of ${length} bytes; at most ${MAX_TEXT_BYTES} are allowed`);
    }
    return this.#decoder.decode(bytes);
  }

  /** Up to the next line feed, without it. */
  line(): string {
    const end = this.#bytes.subarray(this.#at, this.#at + MAX_LINE_BYTES).indexOf(0x0a);
    if (end < 0) {
      refuse(`its pickle has a name of more than ${MAX_LINE_BYTES} bytes, or is cut short in one`);
    }
    const line = this.text(end);
    this.#at++;
    return line;
  }

  #take(length: number): number {
    const from = this.#at;
    if (length > this.#bytes.byteLength - from) {
      refuse(
        `it is cut short: byte ${from} needs ${length} more, ${
          Math.max(0, this.#bytes.byteLength - from)
        } are left`,
      );
    }
    this.#at = from + length;
    return from;
  }
}
