/**
 * What a session remembers for a resume: states of its stream, and the audio since the oldest of
 * them.
 */
import type { Checkpoint } from "../../inference/messages.ts";
import { MODEL_SAMPLE_RATE } from "../../model/architecture.ts";
import type { ModelLayout } from "../../model/engine.ts";

/**
 * How far back a session can resume, in seconds of audio. It equals the default time for which a
 * lost session is kept.
 */
export const HISTORY_SECONDS = 60;
/**
 * Audio is stored in blocks, so that a client that sends sample by sample costs no more than one
 * that sends seconds.
 */
const BLOCK_SAMPLES = 1024;
const S16_SCALE = 32768;

/** Checkpoints of a segment's state, and the audio since the oldest of them. */
export class History {
  readonly #layout: ModelLayout;
  #checkpoints: Checkpoint[] = [];
  // each of BLOCK_SAMPLES, the last filled as far as #end
  #chunks: (Float32Array | Int16Array)[] = [];
  #start = 0; // sample index of #chunks[0], at 16 kHz
  #end = 0;

  constructor(layout: ModelLayout) {
    this.#layout = layout;
    this.clear();
  }

  /** Starts a new segment, which can resume from its beginning. */
  clear(): void {
    this.#checkpoints = [{ hopsTaken: 0 }];
    this.#chunks = [];
    this.#start = this.#end = 0;
  }

  /** Samples at 16 kHz heard in this segment. */
  get endSample(): number {
    return this.#end;
  }

  /** Adds a copy of audio at 16 kHz. */
  append(samples: Float32Array | Int16Array): void {
    if (samples instanceof Int16Array) return this.append(floatsOf(samples));
    for (let taken = 0; taken < samples.length;) {
      const at = (this.#end - this.#start) % BLOCK_SAMPLES;
      if (at === 0) this.#addBlock();
      const part = samples.subarray(taken, taken + BLOCK_SAMPLES - at);
      this.#chunks.at(-1)?.set(part, at);
      taken += part.length;
      this.#end += part.length;
    }
  }

  #addBlock(): void {
    const filled = this.#chunks.pop();
    if (filled) this.#chunks.push(compact(filled));
    this.#chunks.push(new Float32Array(BLOCK_SAMPLES));
  }

  /** Adds a state, and drops everything older than {@linkcode HISTORY_SECONDS}. */
  add(checkpoint: Checkpoint): void {
    const replayed = this.#checkpoints.some(({ hopsTaken }) => hopsTaken >= checkpoint.hopsTaken);
    if (replayed) return;
    if (this.sampleOf(checkpoint) > this.#end) return; // it holds the padding of a finished signal
    this.#checkpoints.push(checkpoint);
    const oldest = this.sampleOf(checkpoint) - HISTORY_SECONDS * MODEL_SAMPLE_RATE;
    const kept = this.#checkpoints.findLastIndex((earlier) => this.sampleOf(earlier) <= oldest);
    this.#checkpoints.splice(0, Math.max(0, kept));
    const first = this.sampleOf(this.#oldest);
    while (this.#chunks.length > 0 && this.#start + BLOCK_SAMPLES <= first) {
      this.#start += BLOCK_SAMPLES;
      this.#chunks.shift();
    }
  }

  /** The latest state from which `frame` can still be computed; undefined if it is too far back. */
  before(frame: number): Checkpoint | undefined {
    return this.#checkpoints.findLast((checkpoint) => this.frameOf(checkpoint) <= frame);
  }

  /** The first frame that can still be computed. */
  get firstFrame(): number {
    return this.frameOf(this.#oldest);
  }

  /** The first frame that comes after a checkpoint. */
  frameOf({ hopsTaken }: Checkpoint): number {
    return Math.max(0, hopsTaken - this.#layout.plan.delayFrames);
  }

  /** The states, oldest first. */
  get checkpoints(): readonly Checkpoint[] {
    return this.#checkpoints;
  }

  /**
   * Begins anew where another history was.
   *
   * @param options `checkpoints`: at least one; `start`: of the audio that follows, in samples, not
   *   after the oldest checkpoint
   */
  restart({ checkpoints, start }: { checkpoints: readonly Checkpoint[]; start: number }): void {
    this.#checkpoints = [...checkpoints];
    this.#chunks = [];
    this.#start = this.#end = start;
  }

  /** A copy of the audio after a checkpoint. */
  audioSince(checkpoint: Checkpoint): Float32Array<ArrayBuffer> {
    return this.audioFrom(this.sampleOf(checkpoint));
  }

  /** A copy of the audio from a sample on. */
  audioFrom(from: number): Float32Array<ArrayBuffer> {
    const out = new Float32Array(this.#end - from);
    for (const [i, chunk] of this.#chunks.entries()) {
      const at = this.#start + i * BLOCK_SAMPLES;
      const [begin, end] = [Math.max(at, from), Math.min(at + BLOCK_SAMPLES, this.#end)];
      if (end <= begin) continue;
      const part = chunk.subarray(begin - at, end - at);
      out.set(floatsOf(part), begin - from);
    }
    return out;
  }

  get #oldest(): Checkpoint {
    return this.#checkpoints[0]!; // there is always one
  }

  /** The first sample that a checkpoint's state has not heard. */
  sampleOf({ hopsTaken }: Checkpoint): number {
    const { hopSamples, leadSamples } = this.#layout.plan;
    return Math.max(0, hopsTaken * hopSamples - leadSamples);
  }
}

/** The same samples in half the memory, if they came with 16 bits or less. */
export function compact(block: Float32Array | Int16Array): Float32Array | Int16Array {
  if (block instanceof Int16Array) return block;
  const half = new Int16Array(block.length);
  for (let i = 0; i < block.length; i++) {
    const x = block[i]! * S16_SCALE;
    half[i] = x;
    if (half[i] !== x) return block; // finer, or beyond full scale
  }
  return half;
}

function floatsOf(block: Float32Array | Int16Array): Float32Array {
  return block instanceof Int16Array ? Float32Array.from(block, (x) => x / S16_SCALE) : block;
}
