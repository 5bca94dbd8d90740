/** How a stream's audio arrives: at the pace of a microphone, or faster. */

/**
 * Seconds of audio that a stream may be ahead of the clock and still count as live: a message, and
 * what the network held back.
 */
const AHEAD_S = 0.3;
/**
 * Audio sent further ahead is forgiven, so that a stream that slows down is soon punctual again.
 */
const FORGIVEN_S = 1;
/**
 * Seconds of audio that count as spoken in one second: clocks differ, and a stream that was held up
 * should become punctual again.
 */
const SPOKEN_PER_S = 1.25;
/** A stream that has sent nothing for this long is not speaking. */
const SILENT_MS = 400;

/** The pace of one live stream. */
export class Pace {
  #aheadS = 0;
  #lastMs = -Infinity;

  /** Notes audio that arrives now. */
  heard(seconds: number, nowMs: number): void {
    const spokenS = SPOKEN_PER_S * (nowMs - this.#lastMs) / 1000;
    this.#aheadS = Math.min(Math.max(0, this.#aheadS - spokenS) + seconds, FORGIVEN_S);
    this.#lastMs = nowMs;
  }

  /** Whether its audio arrives about as fast as speech, or slower. */
  get punctual(): boolean {
    return this.#aheadS <= AHEAD_S;
  }

  /** Whether it is punctual and has sent audio lately, so that more will come. */
  isSpeaking(nowMs: number): boolean {
    return this.punctual && nowMs - this.#lastMs <= SILENT_MS;
  }
}
