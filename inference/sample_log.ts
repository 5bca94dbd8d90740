/** Audio of a stream that may be needed again. */

/**
 * Samples of a block. Audio is stored in blocks, so that a stream that comes sample by sample costs
 * no more than one that comes in seconds.
 */
const BLOCK_SAMPLES = 4096;
/**
 * Most blocks that wait to be filled again. A new block for each quarter of a second of each stream
 * would call the garbage collector for all of them.
 */
const MOST_SPARE = 8;

/** The last part of a signal: samples are added at its end and dropped from its start. */
export class SampleLog {
  #blocks: Float32Array[] = [];
  #spare: Float32Array[] = [];
  #blocksStart: number; // index of the first block's first sample
  #start: number;
  #end: number;

  /** @param start index of the first sample that will come */
  constructor(start: number) {
    this.#blocksStart = this.#start = this.#end = start;
  }

  /** Index of the sample that comes next. */
  get end(): number {
    return this.#end;
  }

  /** Adds a copy of samples. */
  append(samples: Float32Array): void {
    for (let taken = 0; taken < samples.length;) {
      const at = (this.#end - this.#blocksStart) % BLOCK_SAMPLES;
      if (at === 0) this.#blocks.push(this.#spare.pop() ?? new Float32Array(BLOCK_SAMPLES));
      const part = samples.subarray(taken, taken + BLOCK_SAMPLES - at);
      this.#blocks.at(-1)?.set(part, at);
      taken += part.length;
      this.#end += part.length;
    }
  }

  /** Forgets the samples before `index`. */
  dropBefore(index: number): void {
    this.#start = Math.max(this.#start, Math.min(index, this.#end));
    while (this.#blocks.length > 0 && this.#blocksStart + BLOCK_SAMPLES <= this.#start) {
      const dropped = this.#blocks.shift()!;
      if (this.#spare.length < MOST_SPARE) this.#spare.push(dropped);
      this.#blocksStart += BLOCK_SAMPLES;
    }
  }

  /**
   * A copy of samples `from … to`.
   *
   * @throws {RangeError} for samples that were dropped or have not come
   */
  slice(from: number, to: number): Float32Array<ArrayBuffer> {
    if (from < this.#start || to > this.#end) {
      throw new RangeError(`asked for samples ${from} … ${to} of ${this.#start} … ${this.#end}`);
    }
    const out = new Float32Array(Math.max(0, to - from));
    for (let at = from; at < to;) {
      const offset = at - this.#blocksStart;
      const within = offset % BLOCK_SAMPLES;
      const block = this.#blocks[Math.floor(offset / BLOCK_SAMPLES)]!; // within its bounds
      const part = block.subarray(within, within + to - at);
      out.set(part, at - from);
      at += part.length;
    }
    return out;
  }
}
