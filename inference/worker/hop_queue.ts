/**
 * Queues the audio of one stream between its arrival and its steps: samples in, whole hops out, the
 * tail at the end.
 */
import { totalRows } from "../../model/architecture.ts";
import { fillMask, type ModelLayout } from "../../model/engine.ts";

/**
 * Hops that wait for a step. The queue begins with the plan's lead zeros; after `finish` it pads
 * with zeros up to the last frame.
 */
export class HopQueue {
  readonly #layout: ModelLayout;
  #chunks: Float32Array[] = [];
  #offset = 0; // samples already taken of the first chunk
  #queued: number; // samples in #chunks and in the lead, not yet taken
  #lead: number;
  #received: number;
  #hopsTaken: number;
  #totalRows?: number[];

  /**
   * @param hopsTaken hops that the state of a resumed stream already holds; its next sample is then
   *   `hopsTaken · hop − lead`
   */
  constructor(layout: ModelLayout, hopsTaken = 0) {
    const { hopSamples, leadSamples } = layout.plan;
    this.#layout = layout;
    this.#hopsTaken = hopsTaken;
    this.#lead = hopsTaken === 0 ? leadSamples : 0;
    this.#queued = this.#lead;
    this.#received = hopsTaken === 0 ? 0 : hopsTaken * hopSamples - leadSamples;
  }

  /** Hops taken so far. */
  get hopsTaken(): number {
    return this.#hopsTaken;
  }

  /** Samples received so far, at 16 kHz. */
  get samplesReceived(): number {
    return this.#received;
  }

  /** Frames completed so far. */
  get frames(): number {
    const frames = Math.max(0, this.#hopsTaken - this.#layout.plan.delayFrames);
    return this.#totalRows ? Math.min(frames, this.#totalRows[this.#totalRows.length - 1]) : frames;
  }

  /**
   * Whether the stream is young: some layer still yields padding, so its steps must take one hop.
   */
  get young(): boolean {
    return this.#hopsTaken < this.#layout.plan.youngHops;
  }

  /** Whole hops that can be taken now. */
  get hopsReady(): number {
    if (!this.#totalRows) return Math.floor(this.#queued / this.#layout.plan.hopSamples);
    const frames = this.#totalRows[this.#totalRows.length - 1];
    return frames === 0 ? 0 : Math.max(0, frames + this.#layout.plan.delayFrames - this.#hopsTaken);
  }

  /** Whether {@linkcode finish} was called, so that nothing more will arrive. */
  get finished(): boolean {
    return this.#totalRows !== undefined;
  }

  /** Adds samples; the array is kept, not copied. */
  push(samples: Float32Array): void {
    if (this.#totalRows) throw new TypeError("audio after finish");
    if (samples.length === 0) return;
    this.#chunks.push(samples);
    this.#queued += samples.length;
    this.#received += samples.length;
  }

  /**
   * Ends the signal: the missing frames become ready, with zeros for missing samples (each layer's
   * right padding).
   */
  finish(): void {
    this.#totalRows ??= totalRows(this.#layout.config, this.#received);
  }

  /**
   * Takes hops for a step.
   *
   * @param samples where they go, `[hops · hop]`
   * @param masks where each convolution's mask goes, `[hops · rowsPerHop]`
   * @returns the true index of the step's first frame, and which of its frames exist: rows
   *   `skip … skip + count`
   */
  take(
    hops: number,
    { samples, masks }: { samples: Float32Array; masks: readonly Float32Array[] },
  ): StepFrames {
    if (hops > this.hopsReady) throw new RangeError(`took ${hops} hops of ${this.hopsReady}`);
    const { plan } = this.#layout;
    this.#read(samples);
    plan.convs.forEach((conv, i) =>
      fillMask(masks[i], conv, {
        hopsTaken: this.#hopsTaken,
        totalRows: this.#totalRows?.[i] ?? Infinity,
      })
    );
    const first = this.#hopsTaken - plan.delayFrames;
    const skip = Math.max(0, -first);
    const before = this.frames;
    this.#hopsTaken += hops;
    return { first: first + skip, skip, count: this.frames - before };
  }

  #read(out: Float32Array): void {
    let at = Math.min(this.#lead, out.length);
    out.fill(0, 0, at);
    this.#lead -= at;
    this.#queued -= at;
    while (at < out.length && this.#chunks.length > 0) {
      const chunk = this.#chunks[0];
      const part = chunk.subarray(this.#offset, this.#offset + out.length - at);
      out.set(part, at);
      at += part.length;
      this.#queued -= part.length;
      this.#offset += part.length;
      if (this.#offset === chunk.length) {
        this.#chunks.shift();
        this.#offset = 0;
      }
    }
    out.fill(0, at); // beyond the end of a finished signal
  }
}

/** The frames of one stream in one step. */
export interface StepFrames {
  /** True index of the first frame that exists. */
  readonly first: number;
  /** Rows of the step before it that are padding. */
  readonly skip: number;
  /** Frames that exist. */
  readonly count: number;
}
