/**
 * Streaming band-limited resampling: any chunking gives the same samples.
 *
 * Output n is the input, taken as a band-limited signal with zeros before and after it, at time n /
 * toRate: a dot product of the input around that time with one phase of a Kaiser-windowed sinc. The
 * pass-band reaches 0.913 of the lower Nyquist frequency (7.3 kHz at 16 kHz), as that of soxr's HQ
 * resampler does. The stop-band begins at that frequency: aliases and images are down by 100 dB.
 */
import { CpcError } from "../errors.ts";
import { type Phases, phasesFor } from "./resample_filter.ts";
import { convolve } from "./resample_kernel.ts";

/** Range of rates in Hz; the protocol holds streams to a narrower one. */
export const MIN_RESAMPLER_RATE = 1000;
export const MAX_RESAMPLER_RATE = 768_000;

/**
 * What a {@linkcode StreamingResampler} remembers between chunks. It is small, and can be
 * structured-cloned.
 */
export interface ResamplerSnapshot {
  readonly fromRate: number;
  readonly toRate: number;
  /** Samples pushed so far. */
  readonly inputs: number;
  /** The last samples pushed, as many as later outputs may need. */
  readonly history: Float32Array;
}

const BLOCK = 16_384;
/**
 * History and one block of input, as float64. It is used only within one synchronous call, so all
 * resamplers share it.
 */
let scratch = new Float64Array(BLOCK + 1024);

/**
 * Resamples mono audio chunk by chunk: any chunking gives bit-identical samples, and N inputs
 * become ceil(N · toRate / fromRate) after {@linkcode flush}. With equal rates, the very same array
 * passes through.
 *
 * @throws {CpcError} `invalid_option` for a rate that is not a whole number of Hz in range
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { StreamingResampler } from "./resample.ts";
 *
 * const resampler = new StreamingResampler({ fromRate: 48_000, toRate: 16_000 });
 * const first = resampler.push(new Float32Array(1_000));
 * assert.equal(first.length + resampler.flush().length, 334);
 * ```
 */
export class StreamingResampler {
  readonly fromRate: number;
  readonly toRate: number;
  /**
   * Inputs needed past an output's instant before it is emitted: 231 (4.8 ms) from 48 kHz to 16
   * kHz, 77 (9.6 ms) from 8 kHz to 16 kHz, 0 for equal rates.
   */
  readonly latencySamples: number;
  readonly #phases: Phases | undefined;
  readonly #history: Float32Array;
  #inputs = 0;
  #outputs = 0;

  constructor({ fromRate, toRate = 16_000 }: { fromRate: number; toRate?: number }) {
    for (const rate of [fromRate, toRate]) {
      if (!Number.isInteger(rate) || rate < MIN_RESAMPLER_RATE || rate > MAX_RESAMPLER_RATE) {
        const range = `${MIN_RESAMPLER_RATE} to ${MAX_RESAMPLER_RATE}`;
        throw new CpcError(
          "invalid_option",
          `sample_rate must be a whole number of Hz from ${range}, got ${rate}`,
          {
            param: "sample_rate",
          },
        );
      }
    }
    this.fromRate = fromRate;
    this.toRate = toRate;
    this.#phases = fromRate === toRate ? undefined : phasesFor(fromRate, toRate);
    this.latencySamples = this.#phases?.halfWidth ?? 0;
    this.#history = new Float32Array(Math.max(0, 2 * this.latencySamples - 1));
  }

  /** Samples pushed so far. */
  get inputs(): number {
    return this.#inputs;
  }

  /** Samples emitted so far. */
  get outputs(): number {
    return this.#outputs;
  }

  /** How many outputs are emitted after `inputs` inputs, before any flush. */
  outputsReady(inputs: number): number {
    const known = inputs - this.latencySamples;
    return known <= 0 ? 0 : Math.ceil((known * this.toRate) / this.fromRate);
  }

  /** How many outputs `inputs` inputs become once flushed. */
  outputsTotal(inputs: number): number {
    return Math.ceil((inputs * this.toRate) / this.fromRate);
  }

  /**
   * Takes samples at `fromRate`, and returns those at `toRate` that can now be computed, possibly
   * none.
   */
  push(samples: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
    if (!this.#phases) {
      this.#inputs += samples.length;
      this.#outputs += samples.length;
      return samples;
    }
    const resampled = new Float32Array(
      this.outputsReady(this.#inputs + samples.length) - this.#outputs,
    );
    let emitted = 0;
    for (let at = 0; at < samples.length; at += BLOCK) {
      emitted += this.#pushBlock(
        samples.subarray(at, at + BLOCK),
        resampled.subarray(emitted),
        this.#phases,
      );
    }
    return resampled;
  }

  /** Ends the signal: returns the outputs still due (with zeros after the end), and starts over. */
  flush(): Float32Array<ArrayBuffer> {
    const due = this.outputsTotal(this.#inputs) - this.#outputs;
    const tail = due > 0
      ? this.push(new Float32Array(this.latencySamples)).subarray(0, due)
      : new Float32Array(0);
    this.reset();
    return tail;
  }

  /** Forgets the signal so far: the next sample is the first. */
  reset(): void {
    this.#inputs = 0;
    this.#outputs = 0;
    this.#history.fill(0);
  }

  /** The state as a value, to {@linkcode restore} in a resampler with the same rates. */
  snapshot(): ResamplerSnapshot {
    return {
      fromRate: this.fromRate,
      toRate: this.toRate,
      inputs: this.#inputs,
      history: this.#history.slice(),
    };
  }

  /** Continues from a snapshot. The outputs are bit-identical to those of an unbroken stream. */
  restore(snapshot: ResamplerSnapshot): void {
    if (
      snapshot.fromRate !== this.fromRate || snapshot.toRate !== this.toRate ||
      snapshot.history.length !== this.#history.length
    ) {
      throw new RangeError(
        `a snapshot of ${snapshot.fromRate} to ${snapshot.toRate} Hz cannot continue ` +
          `${this.fromRate} to ${this.toRate} Hz`,
      );
    }
    this.#inputs = snapshot.inputs;
    this.#outputs = this.outputsReady(snapshot.inputs);
    this.#history.set(snapshot.history);
  }

  /** Takes at most {@linkcode BLOCK} samples; returns how many outputs it wrote to `target`. */
  #pushBlock(block: Float32Array, target: Float32Array, phases: Phases): number {
    const history = this.#history;
    const filled = history.length + block.length;
    if (scratch.length < filled) scratch = new Float64Array(filled);
    scratch.set(history);
    scratch.set(block, history.length);
    const firstKept = this.#inputs - history.length; // index in the signal of scratch[0]
    this.#inputs += block.length;
    const count = this.outputsReady(this.#inputs) - this.#outputs;
    convolve(target, { phases, signal: scratch, firstKept, first: this.#outputs, count });
    this.#outputs += count;
    history.set(scratch.subarray(filled - history.length, filled));
    return count;
  }
}
