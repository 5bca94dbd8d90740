/** Requests a minute, by owner. */

const MINUTE_MS = 60_000;

/** Counts requests; whoever counts for several processes may have to be asked. */
export interface Rates {
  /**
   * Counts a request.
   *
   * @returns how many the owner has left after it; if there was none, minus the milliseconds until
   *   there is one
   */
  spend(owner: string, perMinute: number): number | Promise<number>;
}

interface Allowance {
  /** Requests allowed now; refilled over time. */
  left: number;
  refilledMs: number;
}

/** Rates counted in this process. */
export class RequestRates implements Rates {
  readonly #owners = new Map<string, Allowance>();
  readonly #nowMs: () => number;

  /** @param nowMs a clock that only runs forward (tests bring their own) */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  spend(owner: string, perMinute: number): number {
    const nowMs = this.#nowMs();
    const before = this.#owners.get(owner) ?? { left: perMinute, refilledMs: nowMs };
    const refilled = (nowMs - before.refilledMs) / MINUTE_MS * perMinute;
    const allowed = Math.min(perMinute, before.left + refilled);
    const isOver = allowed < 1;
    const left = isOver ? allowed : allowed - 1;
    this.#owners.set(owner, { left, refilledMs: nowMs });
    return isOver ? -(1 - allowed) / perMinute * MINUTE_MS : left;
  }
}
