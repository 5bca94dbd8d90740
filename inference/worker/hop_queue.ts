/**
 * Queues the audio of one stream between its arrival and its steps: samples in, whole hops out, the
 * tail at the end.
 */
import { totalRows } from "../../model/architecture.ts";
import { fillMask, type ModelLayout } from "../../model/engine.ts";

/**
 * Hops that wait for a step, the same of each channel of the stream. The queue begins with the
 * plan's lead zeros; after `finish` it pads with zeros up to the last frame.
 */
export class HopQueue {
  readonly #layout: ModelLayout;
  readonly #channels: number;
  // counts are of samples per channel
  #chunks: Float32Array[] = []; // interleaved
  #offset = 0; // samples already taken of the first chunk
  #queued: number; // samples in #chunks and in the lead, not yet taken
  #lead: number;
  #received: number;
  #hopsTaken: number;
  #totalRows?: number[];

  /**
   * @param options `hopsTaken`: hops that the state of a resumed stream already holds; its next
   *   sample is then `hopsTaken · hop − lead`, and what is left of the lead comes before it
   */
  constructor(
    layout: ModelLayout,
    { channels = 1, hopsTaken = 0 }: { channels?: number; hopsTaken?: number } = {},
  ) {
    const { hopSamples, leadSamples } = layout.plan;
    this.#layout = layout;
    this.#channels = channels;
    this.#hopsTaken = hopsTaken;
    const heard = hopsTaken * hopSamples - leadSamples;
    this.#lead = Math.max(0, -heard);
    this.#queued = this.#lead;
    this.#received = Math.max(0, heard);
  }

  /** Hops taken so far. */
  get hopsTaken(): number {
    return this.#hopsTaken;
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

  /** Adds samples `[n, channels]`; the array is kept, not copied. */
  push(samples: Float32Array): void {
    if (this.#totalRows) throw new TypeError("audio after finish");
    if (samples.length === 0) return;
    this.#chunks.push(samples);
    this.#queued += samples.length / this.#channels;
    this.#received += samples.length / this.#channels;
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
   * @param samples where they go, `[channels, hops · hop]`
   * @param masks where each convolution's mask goes, `[channels, hops · rowsPerHop]`
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
    plan.convs.forEach((conv, i) => {
      const length = hops * conv.rowsPerHop;
      fillMask(masks[i].subarray(0, length), conv, {
        hopsTaken: this.#hopsTaken,
        totalRows: this.#totalRows?.[i] ?? Infinity,
      });
      for (let c = 1; c < this.#channels; c++) masks[i].copyWithin(c * length, 0, length);
    });
    const first = this.#hopsTaken - plan.delayFrames;
    const skip = Math.max(0, -first);
    const before = this.frames;
    this.#hopsTaken += hops;
    return { first: first + skip, skip, count: this.frames - before };
  }

  /** @param out `[channels, n]` */
  #read(out: Float32Array): void {
    const C = this.#channels;
    const length = out.length / C;
    out.fill(0); // the lead, and what is beyond the end of a finished signal
    let at = Math.min(this.#lead, length);
    this.#lead -= at;
    this.#queued -= at;
    while (at < length && this.#chunks.length > 0) {
      const chunk = this.#chunks[0];
      const part = chunk.subarray(C * this.#offset, C * (this.#offset + length - at));
      deinterleave(part, { channels: C, out, at });
      const taken = part.length / C;
      at += taken;
      this.#queued -= taken;
      this.#offset += taken;
      if (C * this.#offset === chunk.length) {
        this.#chunks.shift();
        this.#offset = 0;
      }
    }
  }
}

/** Writes samples `[n, channels]` to `out` `[channels, …]`, from position `at` of each row on. */
function deinterleave(
  samples: Float32Array,
  { channels: C, out, at }: { channels: number; out: Float32Array; at: number },
): void {
  if (C === 1) return out.set(samples, at);
  for (let c = 0; c < C; c++) {
    let to = c * out.length / C + at;
    for (let from = c; from < samples.length; from += C) out[to++] = samples[from];
  }
}

/** The frames of one stream in one step, the same of each channel. */
export interface StepFrames {
  /** True index of the first frame that exists. */
  readonly first: number;
  /** Rows of the step before it that are padding. */
  readonly skip: number;
  /** Frames that exist. */
  readonly count: number;
}
