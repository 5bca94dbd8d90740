/** Latency of a vector: the time from handing over the last sample it needs until it arrives. */
import type { Frames, Ready } from "../client/mod.ts";

/** `hop` and `lookahead` count samples at this rate. */
const MODEL_SAMPLE_RATE = 16_000;
const MOST_REMEMBERED = 4000;

/** The latency of a stream, smoothed. */
export class Latency {
  #ms: number | undefined;
  #samples = 0;
  /** When samples up to a number were handed over. */
  #sent: { readonly samples: number; readonly atMs: number }[] = [];

  /** In milliseconds; undefined before the first. */
  get ms(): number | undefined {
    return this.#ms;
  }

  /** Starts counting samples from 0 again. */
  beginSegment(): void {
    this.#samples = 0;
    this.#sent = [];
  }

  /** Notes the number of samples handed over. */
  sent(samples: number): void {
    this.#samples += samples;
    this.#sent.push({ samples: this.#samples, atMs: performance.now() });
    if (this.#sent.length > MOST_REMEMBERED) this.#sent.splice(0, MOST_REMEMBERED / 2);
  }

  /** Notes received frames. */
  arrived({ first, count, every }: Frames, { hop, lookahead, sample_rate: rate }: Ready): void {
    const last = first + (count - 1) * every;
    const needed = (last * hop + lookahead) * rate / MODEL_SAMPLE_RATE;
    const index = this.#sent.findIndex(({ samples }) => samples >= needed);
    const sent = this.#sent[index];
    if (!sent) return;
    const ms = performance.now() - sent.atMs;
    this.#ms = this.#ms === undefined ? ms : this.#ms + (ms - this.#ms) * 0.1;
    this.#sent.splice(0, index);
  }
}
