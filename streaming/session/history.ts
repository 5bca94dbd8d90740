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
/** Most blocks that wait to be filled again, so that a long stream makes no garbage. */
const MOST_SPARE = 64;
const S16_SCALE = 32768;

/**
 * Checkpoints of a segment's state, and the audio since the oldest of them. Audio of several
 * channels is interleaved; positions count samples per channel.
 */
export class History {
  readonly #layout: ModelLayout;
  readonly #channels: number;
  #checkpoints: Checkpoint[] = [];
  // each of BLOCK_SAMPLES, the last filled as far as #end; integers while 16 bits are enough
  #chunks: (Float32Array | Int16Array)[] = [];
  #spare: Int16Array[] = []; // as long
  // floats of the segment before #chunks[0], and before what comes next
  #start = 0;
  #end = 0;

  constructor(layout: ModelLayout, channels = 1) {
    this.#layout = layout;
    this.#channels = channels;
    this.clear();
  }

  /** Starts a new segment, which can resume from its beginning. */
  clear(): void {
    this.#checkpoints = [{ hopsTaken: 0 }];
    this.#chunks = [];
    this.#start = this.#end = 0;
  }

  /** Samples per channel (at 16 kHz) heard in this segment. */
  get endSample(): number {
    return this.#end / this.#channels;
  }

  /** Adds a copy of audio at 16 kHz, `[n, channels]`. */
  append(samples: Float32Array | Int16Array): void {
    for (let taken = 0; taken < samples.length;) {
      const at = (this.#end - this.#start) % BLOCK_SAMPLES;
      const block = at > 0
        ? this.#chunks.pop()!
        : this.#spare.pop() ?? new Int16Array(BLOCK_SAMPLES);
      const part = samples.subarray(taken, taken + BLOCK_SAMPLES - at);
      this.#chunks.push(withSamples(block, part, at));
      taken += part.length;
      this.#end += part.length;
    }
  }

  /** Adds a state, and drops everything older than {@linkcode HISTORY_SECONDS}. */
  add(checkpoint: Checkpoint): void {
    const replayed = this.#checkpoints.some(({ hopsTaken }) => hopsTaken >= checkpoint.hopsTaken);
    if (replayed) return;
    // it holds the padding of a finished signal
    if (this.sampleOf(checkpoint) > this.endSample) return;
    this.#checkpoints.push(checkpoint);
    const oldest = this.sampleOf(checkpoint) - HISTORY_SECONDS * MODEL_SAMPLE_RATE;
    const kept = this.#checkpoints.findLastIndex((earlier) => this.sampleOf(earlier) <= oldest);
    this.#checkpoints.splice(0, Math.max(0, kept));
    const first = this.sampleOf(this.#oldest) * this.#channels;
    while (this.#start + BLOCK_SAMPLES <= first) {
      this.#start += BLOCK_SAMPLES;
      const dropped = this.#chunks.shift()!;
      const isSpare = dropped instanceof Int16Array && this.#spare.length < MOST_SPARE;
      if (isSpare) this.#spare.push(dropped);
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
    this.#start = this.#end = start * this.#channels;
  }

  /** A copy of the audio after a checkpoint, `[n, channels]`. */
  audioSince(checkpoint: Checkpoint): Float32Array<ArrayBuffer> {
    return this.audioFrom(this.sampleOf(checkpoint));
  }

  /** A copy of the audio from a sample on, `[n, channels]`. */
  audioFrom(sample: number): Float32Array<ArrayBuffer> {
    const from = sample * this.#channels;
    const out = new Float32Array(this.#end - from);
    for (const [at, part] of this.#partsFrom(from)) out.set(floatsOf(part), at);
    return out;
  }

  /** The same, in half the memory where 16 bits are enough. */
  compactAudioFrom(sample: number): Float32Array | Int16Array {
    const from = sample * this.#channels;
    const parts = this.#partsFrom(from);
    if (parts.some(([, part]) => part instanceof Float32Array)) return this.audioFrom(sample);
    const out = new Int16Array(this.#end - from);
    for (const [at, part] of parts) out.set(part, at);
    return out;
  }

  /** The stored audio from a float of the segment on, in parts, each with its place after it. */
  #partsFrom(from: number): [at: number, part: Float32Array | Int16Array][] {
    const parts: [number, Float32Array | Int16Array][] = [];
    const first = Math.max(0, Math.floor((from - this.#start) / BLOCK_SAMPLES));
    for (let i = first; i < this.#chunks.length; i++) {
      const at = this.#start + i * BLOCK_SAMPLES;
      const [begin, end] = [Math.max(at, from), Math.min(at + BLOCK_SAMPLES, this.#end)];
      if (end > begin) parts.push([begin - from, this.#chunks[i]!.subarray(begin - at, end - at)]);
    }
    return parts;
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

/** A block with samples at a place: the same one, unless it takes more than 16 bits from now on. */
function withSamples(
  block: Float32Array | Int16Array,
  samples: Float32Array | Int16Array,
  at: number,
): Float32Array | Int16Array {
  if (block instanceof Float32Array) block.set(floatsOf(samples), at);
  else if (samples instanceof Int16Array) block.set(samples, at);
  else if (!setIntegers(block, samples, at)) return withSamples(floatsOf(block), samples, at);
  return block;
}

/** Writes floats as 16-bit integers; false where one is finer, or beyond full scale. */
function setIntegers(target: Int16Array, floats: Float32Array, at: number): boolean {
  for (let i = 0; i < floats.length; i++) {
    const x = floats[i]! * S16_SCALE;
    target[at + i] = x;
    if (target[at + i] !== x) return false;
  }
  return true;
}

function floatsOf(block: Float32Array | Int16Array): Float32Array {
  if (block instanceof Float32Array) return block;
  const floats = new Float32Array(block.length);
  for (let i = 0; i < block.length; i++) floats[i] = block[i]! / S16_SCALE;
  return floats;
}
