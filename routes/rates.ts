/** Requests a minute, by owner. */

const MINUTE_MS = 60_000;

/** Counts requests; whoever counts for several processes may have to be asked. */
export interface Rates {
  /** Counts a request. @returns 0, or the milliseconds until the owner has one left */
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
    const { left, refilledMs } = this.#owners.get(owner) ?? { left: perMinute, refilledMs: nowMs };
    const allowed = Math.min(perMinute, left + (nowMs - refilledMs) / MINUTE_MS * perMinute);
    const isOver = allowed < 1;
    this.#owners.set(owner, { left: isOver ? allowed : allowed - 1, refilledMs: nowMs });
    return isOver ? (1 - allowed) / perMinute * MINUTE_MS : 0;
  }
}
