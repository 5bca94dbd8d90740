/** When to ask a store again that has failed. */

/** One that fails so soon after it answered relapses: a full disk answers, and takes nothing. */
const LASTED_MS = 5000;
/** After the second relapse; it doubles with each. */
const FIRST_WAIT_MS = 500;
/** A store that works again is noticed so soon, and what lives is stored within 5 s. */
const MOST_WAIT_MS = 3000;

/** The relapses of one store. Each makes the server write all sessions anew, and warn clients. */
export class Relapses {
  #count = 0;
  #answeredMs = -Infinity;
  #dueMs = -Infinity;

  /** It has answered. */
  answered(nowMs: number): void {
    this.#answeredMs = nowMs;
  }

  /** It has failed. */
  failed(nowMs: number): void {
    this.#count = nowMs - this.#answeredMs < LASTED_MS ? this.#count + 1 : 0;
    const waitMs = this.#count < 2 ? 0 : FIRST_WAIT_MS * 2 ** (this.#count - 2);
    this.#dueMs = nowMs + Math.min(waitMs, MOST_WAIT_MS);
  }

  /** Whether to ask it now. */
  isDue(nowMs: number): boolean {
    return nowMs >= this.#dueMs;
  }
}
