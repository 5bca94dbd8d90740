/**
 * When the socket of a stream is read. Its connection has it paused while messages wait. It also
 * rests after bytes that took long, whatever was in them: pongs, and the parts of a message, never
 * come to the connection. While a socket always has something to be read, Deno looks at timers, new
 * sockets and model workers in every 31st turn of the event loop alone (`inference/listen.ts`).
 */
import type { EventEmitter } from "node:events";
import { listen } from "../inference/listen.ts";
import type { Source } from "../streaming/inbox.ts";

/** Bytes that took more milliseconds than this are followed by a rest. */
const LONG_MS = 1;
/** Turns of the event loop in which all the others are heard, the model workers included. */
const OTHERS_TURNS = 32;

/** Sockets that rest go on one after the other, and everybody else is heard before each. */
export class Rests {
  readonly #waiting: (() => void)[] = [];
  readonly #listen: (turns: number) => Promise<void>;

  /** @param listenFor how the others are heard, for tests */
  constructor(listenFor: (turns: number) => Promise<void> = listen) {
    this.#listen = listenFor;
  }

  /** Calls back when a socket may be read again. */
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
const sharedRests = new Rests();

/** The reading of one socket. */
export class Reading {
  readonly #socket: Source;
  readonly #rests: Rests;
  #isHeld = false;
  #isResting = false;
  #isPaused = false;

  /**
   * @param socket what is paused
   * @param options `bytes`: emits `data` for the bytes of the socket, and has a listener that works
   *   on them; `rests`, `nowMs`: a clock, for tests
   */
  constructor(
    socket: Source,
    { bytes, rests = sharedRests, nowMs = () => performance.now() }: {
      bytes: Pick<EventEmitter, "on" | "prependListener">;
      rests?: Rests;
      nowMs?: () => number;
    },
  ) {
    this.#socket = socket;
    this.#rests = rests;
    let beganMs = 0;
    bytes.prependListener("data", () => beganMs = nowMs());
    bytes.on("data", () => {
      if (nowMs() - beganMs > LONG_MS) this.#rest();
    });
  }

  /** Pauses it until {@linkcode resume}. */
  pause(): void {
    this.#isHeld = true;
    this.#regulate();
  }

  /** Lets it go on, once it has rested. */
  resume(): void {
    this.#isHeld = false;
    this.#regulate();
  }

  #rest(): void {
    if (this.#isResting) return;
    this.#isResting = true;
    this.#regulate();
    this.#rests.rest(() => {
      this.#isResting = false;
      this.#regulate();
    });
  }

  #regulate(): void {
    const paused = this.#isHeld || this.#isResting;
    if (paused === this.#isPaused) return;
    this.#isPaused = paused;
    if (paused) this.#socket.pause();
    else this.#socket.resume();
  }
}
