/** Times the parts of one step, for `--profile`. */

/** A clock that begins with the step. */
export class StepClock {
  readonly #nowMs: () => number;
  readonly #ms: Record<string, number> = {};
  #sinceMs: number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#sinceMs = nowMs();
  }

  /** A part, or some more of it, has ended; the next one begins. */
  ended(part: string): void {
    const nowMs = this.#nowMs();
    this.#ms[part] = (this.#ms[part] ?? 0) + nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
  }

  /**
   * The parts in ms, by name.
   *
   * @param shares of the engine's parts, which then stand in its place
   */
  parts(shares: Readonly<Record<string, number>> = { engine: 1 }): Record<string, number> {
    const { gather = 0, engine = 0, ...rest } = this.#ms;
    const layers = Object.entries(shares).map(([part, share]) => [part, engine * share]);
    return { gather, ...Object.fromEntries(layers), ...rest };
  }
}
