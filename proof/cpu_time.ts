/** How long this thread has computed: what other processes take from it does not count. */

const NS_PER_MS = 1e6;
/** The first number is the thread's time on a processor, in nanoseconds. */
const SCHEDSTAT = "/proc/thread-self/schedstat";

/** Time of this thread on a processor in ms; the wall clock where the system does not say. */
export function threadMs(): number {
  try {
    const ms = parseInt(Deno.readTextFileSync(SCHEDSTAT)) / NS_PER_MS;
    return ms > 0 ? ms : performance.now();
  } catch {
    return performance.now();
  }
}

/** Time between two looks of a meter. */
export const METER_TICK_MS = 10;

/**
 * Watches the event loop of this thread: how long it computed between two turns. A loaded machine
 * does not count, only this thread's own work.
 */
export class StallMeter {
  #longestMs = 0;
  #wallMs = performance.now();
  #threadMs = threadMs();
  readonly #timer = setInterval(() => this.#tick(), METER_TICK_MS);

  /** The longest stall since the last call, in ms. */
  takeLongest(): number {
    const longest = this.#longestMs;
    this.#longestMs = 0;
    return longest;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const [wallMs, ownMs] = [performance.now(), threadMs()];
    const stalledMs = Math.min(wallMs - this.#wallMs - METER_TICK_MS, ownMs - this.#threadMs);
    this.#longestMs = Math.max(this.#longestMs, stalledMs);
    [this.#wallMs, this.#threadMs] = [wallMs, ownMs];
  }
}
