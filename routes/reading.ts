/**
 * When the socket of a stream is read. Its connection has it paused while messages wait. It also
 * rests after bytes that took long, whatever was in them: pongs, and the parts of a message, never
 * come to the connection. While a socket always has something to be read, Deno looks at timers, new
 * sockets and model workers in every 31st turn of the event loop alone (`inference/listen.ts`).
 */
import type { EventEmitter } from "node:events";
import type { Source } from "../streaming/inbox.ts";
import { type Rests, sharedRests } from "../streaming/rests.ts";

/** Bytes that took more milliseconds than this are followed by a rest. */
const LONG_MS = 1;

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
