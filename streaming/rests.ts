/** Rests: what takes long on the thread of the sockets leaves everybody else their time. */
import { listen } from "../inference/listen.ts";

/** Turns of the event loop in which all the others are heard, the model workers included. */
const OTHERS_TURNS = 32;

/** Those who rest go on one after the other, and everybody else is heard before each. */
export class Rests {
  readonly #waiting: (() => void)[] = [];
  readonly #listen: (turns: number) => Promise<void>;

  /** @param listenFor how the others are heard, for tests */
  constructor(listenFor: (turns: number) => Promise<void> = listen) {
    this.#listen = listenFor;
  }

  /** Calls back when it is over. */
  rest(over: () => void): void {
    this.#waiting.push(over);
    if (this.#waiting.length === 1) void this.#serve();
  }

  async #serve(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#listen(OTHERS_TURNS);
      this.#waiting[0]!();
      this.#waiting.shift();
    }
  }
}

/** The rests of all sockets of this process. */
export const sharedRests = new Rests();
