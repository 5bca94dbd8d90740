/** Audio of several channels, interleaved: `[n, channels]`. */
import { type ResamplerSnapshot, StreamingResampler } from "./resample.ts";

/** One channel of interleaved samples. */
export function channelOf(
  samples: Float32Array,
  { channels, channel }: { channels: number; channel: number },
): Float32Array<ArrayBuffer> {
  const one = new Float32Array(samples.length / channels);
  for (let i = 0, at = channel; i < one.length; i++, at += channels) one[i] = samples[at]!;
  return one;
}

/**
 * Signals of one length as interleaved samples.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { interleave } from "./channels.ts";
 *
 * const [left, right] = [Float32Array.of(1, 2), Float32Array.of(-1, -2)];
 * assert.deepEqual([...interleave([left, right])], [1, -1, 2, -2]);
 * ```
 */
export function interleave(signals: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const { length: channels } = signals;
  const samples = new Float32Array(channels * (signals[0]?.length ?? 0));
  for (const [c, signal] of signals.entries()) {
    for (let i = 0, at = c; i < signal.length; i++, at += channels) samples[at] = signal[i]!;
  }
  return samples;
}

/** Resamples every channel of interleaved audio by itself; see {@linkcode StreamingResampler}. */
export class ChannelResampler {
  readonly #first: StreamingResampler;
  readonly #each: readonly StreamingResampler[];

  constructor({ channels, ...rates }: { channels: number; fromRate: number; toRate: number }) {
    this.#first = new StreamingResampler(rates);
    const others = Array.from({ length: channels - 1 }, () => new StreamingResampler(rates));
    this.#each = [this.#first, ...others];
  }

  /** Takes samples, and returns those that can now be computed, possibly none. */
  push(samples: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
    const { length: channels } = this.#each;
    if (channels === 1) return this.#first.push(samples);
    const pushed = this.#each.map((one, channel) =>
      one.push(channelOf(samples, { channels, channel }))
    );
    return interleave(pushed);
  }

  /** Ends the signals: returns the samples still due, and starts over. */
  flush(): Float32Array<ArrayBuffer> {
    return this.#each.length === 1
      ? this.#first.flush()
      : interleave(this.#each.map((one) => one.flush()));
  }

  /** Forgets the signals so far. */
  reset(): void {
    for (const one of this.#each) one.reset();
  }

  /** The state of each channel. */
  snapshot(): ResamplerSnapshot[] {
    return this.#each.map((one) => one.snapshot());
  }

  /**
   * Continues from a snapshot.
   *
   * @throws {RangeError} for one of other rates or another number of channels
   */
  restore(snapshots: readonly ResamplerSnapshot[]): void {
    const { length: channels } = this.#each;
    if (snapshots.length !== channels) {
      throw new RangeError(
        `a snapshot of ${snapshots.length} channels cannot continue ${channels}`,
      );
    }
    for (const [c, one] of this.#each.entries()) one.restore(snapshots[c]!);
  }
}
