/** How long a vector takes: from handing over the last sample that it needs until it is there. */
import type { Frames, Ready } from "../client/mod.ts";

/** `hop` and `lookahead` count samples at this rate. */
const MODEL_SAMPLE_RATE = 16_000;
const MOST_REMEMBERED = 4000;

/** The latency of a stream, smoothed. */
export class Latency {
  #ms: number | undefined;
  #samples = 0;
  /** When the sample before which number was handed over. */
  #sent: { readonly samples: number; readonly atMs: number }[] = [];

  /** Milliseconds; undefined before there is any. */
  get ms(): number | undefined {
    return this.#ms;
  }

  /** Samples count from 0 again. */
  beginSegment(): void {
    this.#samples = 0;
    this.#sent = [];
  }

  /** So many samples were handed over. */
  sent(samples: number): void {
    this.#samples += samples;
    this.#sent.push({ samples: this.#samples, atMs: performance.now() });
    if (this.#sent.length > MOST_REMEMBERED) this.#sent.splice(0, MOST_REMEMBERED / 2);
  }

  /** Frames came. */
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
