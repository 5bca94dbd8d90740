/** An encoded recording in memory, as its bytes arrive. */
import type { MemoryShare } from "./memory_budget.ts";

const FIRST_BLOCK_BYTES = 16 * 1024;
const BLOCK_BYTES = 256 * 1024;

/**
 * Bytes in blocks of our own: nothing is moved when more arrive, and the pieces that they arrived
 * in, which may belong to larger buffers, can go.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { EncodedFile } from "./encoded_file.ts";
 *
 * const file = new EncodedFile();
 * file.append(Uint8Array.of(1, 2));
 * file.append(Uint8Array.of(3));
 * assert.deepEqual((await Array.fromAsync(file)).flatMap((block) => [...block]), [1, 2, 3]);
 * ```
 */
export class EncodedFile implements AsyncIterable<Uint8Array> {
  readonly #memory: MemoryShare | undefined;
  readonly #blocks: Uint8Array[] = [];
  #length = 0;
  #freeBytes = 0; // at the end of the last block

  /** @param memory accounts for the blocks */
  constructor(memory?: MemoryShare) {
    this.#memory = memory;
  }

  /** Bytes that it holds. */
  get length(): number {
    return this.#length;
  }

  /** @throws {CpcError} `overloaded` if there is no memory for them */
  append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#freeBytes === 0) this.#grow();
      const part = bytes.subarray(at, at + this.#freeBytes);
      const block = this.#blocks.at(-1)!;
      block.set(part, block.length - this.#freeBytes);
      at += part.length;
      this.#freeBytes -= part.length;
      this.#length += part.length;
    }
  }

  /** The bytes in order, any number of times. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (const [i, block] of this.#blocks.entries()) {
      const isLast = i === this.#blocks.length - 1;
      yield await Promise.resolve(
        isLast ? block.subarray(0, block.length - this.#freeBytes) : block,
      );
    }
  }

  /** As much again as there is, within bounds. */
  #grow(): void {
    const bytes = Math.min(BLOCK_BYTES, Math.max(FIRST_BLOCK_BYTES, this.#length));
    this.#memory?.take(bytes);
    this.#blocks.push(new Uint8Array(bytes));
    this.#freeBytes = bytes;
  }
}
