/** How long this thread has computed: what other processes take from it does not count. */

const THREAD_CPU_TIME = 3; // CLOCK_THREAD_CPUTIME_ID of Linux
const libc = open();

function open() {
  if (Deno.build.os !== "linux") return undefined;
  try {
    return Deno.dlopen("libc.so.6", {
      clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
    });
  } catch {
    return undefined; // no right to, or another C library
  }
}

/** Time of this thread on a processor in ms; the wall clock where the system does not say. */
export function threadMs(): number {
  const time = new BigInt64Array(2); // s, ns
  if (libc?.symbols.clock_gettime(THREAD_CPU_TIME, time) !== 0) return performance.now();
  return Number(time[0]) * 1e3 + Number(time[1]) / 1e6;
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
