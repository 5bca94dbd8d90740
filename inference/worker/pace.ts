/** How a stream's audio comes: at the pace of a microphone, or faster. */

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
/** A stream that has said nothing for so long is not speaking. */
const SILENT_MS = 400;

/** The pace of one live stream. */
export class Pace {
  #aheadS = 0;
  #lastMs = -Infinity;

  /** Notes audio that came now. */
  heard(seconds: number, nowMs: number): void {
    const spokenS = SPOKEN_PER_S * (nowMs - this.#lastMs) / 1000;
    this.#aheadS = Math.min(Math.max(0, this.#aheadS - spokenS) + seconds, FORGIVEN_S);
    this.#lastMs = nowMs;
  }

  /** Its audio has come no faster than speech, give or take. */
  get punctual(): boolean {
    return this.#aheadS <= AHEAD_S;
  }

  /** It is punctual and audio came lately: more will come. */
  isSpeaking(nowMs: number): boolean {
    return this.punctual && nowMs - this.#lastMs <= SILENT_MS;
  }
}
