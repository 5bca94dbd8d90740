/**
 * How a stream's audio comes: at the pace of a microphone or faster, and when more of it is to be
 * expected.
 */

/**
 * Seconds of audio that a stream may be ahead of the clock and still keep up with its microphone: a
 * message, and what the network held back.
 */
const AHEAD_S = 0.3;
/**
 * What was sent ahead beyond this is forgiven, so that a stream that falls into step is punctual
 * again soon.
 */
const FORGIVEN_S = 1;
/**
 * Seconds of audio that count as spoken in a second: clocks differ, and who was held up once is to
 * be punctual again.
 */
const SPOKEN_PER_S = 1.25;
/** Messages further apart than this have no rhythm. */
const RHYTHM_MS = 400;
/** Weight of the last interval. */
const SMOOTHING = 0.2;
/** How much sooner or later than by its rhythm audio is taken to come. */
const JITTER_MS = 3;

/** The pace of one live stream. */
export class Pace {
  #aheadS = 0;
  #lastMs = -Infinity;
  #intervalMs = Infinity;

  /** Notes audio that came now. */
  heard(seconds: number, nowMs: number): void {
    const gapMs = nowMs - this.#lastMs;
    this.#aheadS = Math.min(
      Math.max(0, this.#aheadS - SPOKEN_PER_S * gapMs / 1000) + seconds,
      FORGIVEN_S,
    );
    if (gapMs > RHYTHM_MS) this.#intervalMs = Infinity;
    else {this.#intervalMs = this.#intervalMs === Infinity
        ? gapMs
        : this.#intervalMs + SMOOTHING * (gapMs - this.#intervalMs);}
    this.#lastMs = nowMs;
  }

  /** Its audio has come no faster than speech, give or take. */
  get punctual(): boolean {
    return this.#aheadS <= AHEAD_S;
  }

  /** It is punctual and audio came lately: more will come. */
  isSpeaking(nowMs: number): boolean {
    return this.punctual && nowMs - this.#lastMs <= RHYTHM_MS;
  }

  /**
   * Between when and when, in ms, its next audio is expected by its rhythm; undefined when it has
   * none or is late.
   */
  expected(nowMs: number): { fromMs: number; toMs: number } | undefined {
    const ms = this.#lastMs + this.#intervalMs;
    return this.punctual && ms < Infinity && ms + JITTER_MS >= nowMs
      ? { fromMs: ms - JITTER_MS, toMs: ms + JITTER_MS }
      : undefined;
  }
}
