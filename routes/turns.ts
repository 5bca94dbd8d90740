/** Turns on the socket thread: what requests do there leaves its streams their time. */
import { listen } from "../inference/listen.ts";

/** Most milliseconds of the requests' work between two looks at everything else. */
const WORK_MS = 4;
/** Turns of the event loop in which all the others are heard, the model workers included. */
const OTHERS_TURNS = 32;

/**
 * Lets requests work one piece at a time, in order of asking. Streams pass long bodies and answers
 * between two pieces, however many requests there are.
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  readonly #nowMs: () => number;
  readonly #listen: (turns: number) => Promise<void>;
  #sinceMs: number;

  /** @param options a clock, and how the others are heard, for tests */
  constructor({ nowMs = () => performance.now(), listenFor = listen }: {
    nowMs?: () => number;
    listenFor?: (turns: number) => Promise<void>;
  } = {}) {
    this.#nowMs = nowMs;
    this.#listen = listenFor;
    this.#sinceMs = nowMs();
  }

  /** Resolves when the caller may work on its next piece, which should take a millisecond or so. */
  async next(): Promise<void> {
    if (this.#waiting.length === 0 && this.#hasTime()) return;
    const mine = new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.#waiting.length === 1) void this.#serve();
    await mine;
  }

  #hasTime(): boolean {
    return this.#nowMs() - this.#sinceMs < WORK_MS;
  }

  async #serve(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#listen(OTHERS_TURNS);
      this.#sinceMs = this.#nowMs();
      do {
        this.#waiting[0]!();
        await this.#listen(1); // it works meanwhile, and may ask again
        this.#waiting.shift();
      } while (this.#waiting.length > 0 && this.#hasTime());
    }
  }
}

/** The turns of all requests of this process. */
export const requestTurns = new Turns();
