/** Reads a file's bytes as they arrive, and numbers and names from them. */

/** Parts that wait to be joined: each takes hundreds of bytes, however short it is. */
const MOST_PARTS = 1024;

/**
 * Reads from an asynchronous sequence of byte arrays, and holds only what was looked at but not yet
 * taken.
 */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #buffer: Uint8Array = new Uint8Array(0);
  #ended = false;
  #position = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Bytes taken so far. */
  get position(): number {
    return this.#position;
  }

  /** Whether the source has ended; bytes of it may still be here. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Bytes that are here but not yet taken; valid until the next {@linkcode fill}. */
  get available(): Uint8Array {
    return this.#buffer;
  }

  /** Waits until at least `count` bytes are available; false if the source ends first. */
  async fill(count: number): Promise<boolean> {
    if (this.#buffer.length >= count) return true;
    let parts = [this.#buffer];
    let length = this.#buffer.length;
    while (length < count && !this.#ended) {
      const { value, done } = await this.#source.next();
      if (done) {
        this.#ended = true;
      } else {
        parts.push(value);
        length += value.length;
        if (parts.length === MOST_PARTS) parts = [joined(parts, length)];
      }
    }
    if (parts.length > 1) this.#buffer = joined(parts, length);
    return length >= count;
  }

  /** Takes bytes that are available. */
  take(count: number): Uint8Array {
    if (count > this.#buffer.length) {
      throw new RangeError(`${count} bytes of ${this.#buffer.length} available`);
    }
    const taken = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.subarray(count);
    this.#position += count;
    return taken;
  }

  /** Takes `count` bytes, or all that are left. */
  async read(count: number): Promise<Uint8Array> {
    await this.fill(count);
    return this.take(Math.min(count, this.#buffer.length));
  }

  /** Drops `count` bytes without gathering them; false if the source ends first. */
  async skip(count: number): Promise<boolean> {
    while (count > 0 && await this.fill(1)) {
      count -= this.take(Math.min(count, this.#buffer.length)).length;
    }
    return count === 0;
  }

  /** Whether nothing is left. */
  async atEnd(): Promise<boolean> {
    return !await this.fill(1);
  }

  /** Releases the source. */
  async close(): Promise<void> {
    this.#ended = true;
    this.#buffer = new Uint8Array(0);
    await this.#source.return?.();
  }
}

/** Joins parts into one array. @param length of all parts together */
export function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Four bytes, or `length` of them, as characters. */
export function ascii(bytes: Uint8Array, at = 0, length = 4): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

/** A view for reading numbers from bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
