/**
 * The way of one stream's audio from a message to its samples: decoded part by part, each when
 * there is room for what it gives.
 */
import { CpcError } from "../errors.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import type { Rests } from "./rests.ts";
import type { Room } from "./room.ts";
import type { Session } from "./session/session.ts";

/** Bytes decoded at once here: few enough that to resample them takes milliseconds. */
export const PART_BYTES = 4 * 1024;
/** Bytes of a container that a worker gets at once. */
const CONTAINER_BYTES = 32 * 1024;
/** A part that took more milliseconds is followed by a rest. */
const LONG_MS = 2;

/** What hears for one connection. */
export class Hearing {
  readonly #session: Session;
  readonly #room: Pick<Room, "wait">;
  readonly #maxSeconds: number;
  readonly #isThere: () => boolean;
  readonly #give: (samples: Float32Array<ArrayBuffer>) => void;
  readonly #rests?: Pick<Rests, "rest">;
  readonly #nowMs: () => number;
  /** The last part took long. */
  #mustRest = false;

  /**
   * @param options `maxSeconds`: most audio in a message; `isThere`: whether the client still is;
   *   `give`: takes samples at 16 kHz, `[n, streams]`; `rests`: where others need the thread too;
   *   `nowMs`: a clock, for tests
   */
  constructor(session: Session, options: {
    room: Pick<Room, "wait">;
    maxSeconds: number;
    isThere: () => boolean;
    give: (samples: Float32Array<ArrayBuffer>) => void;
    rests?: Pick<Rests, "rest">;
    nowMs?: () => number;
  }) {
    const { room, maxSeconds, isThere, give } = options;
    const { rests, nowMs = () => performance.now() } = options;
    this.#session = session;
    this.#room = room;
    this.#maxSeconds = maxSeconds;
    this.#isThere = isThere;
    this.#give = give;
    this.#rests = rests;
    this.#nowMs = nowMs;
  }

  /** Whether every message is a packet, and must not be cut or joined. */
  get takesPackets(): boolean {
    return this.#session.live?.takesPackets ?? false;
  }

  /**
   * Hears a message.
   *
   * @throws {CpcError} `message_too_big`; `invalid_audio`; `invalid_message` after the end
   */
  async hear(bytes: Uint8Array): Promise<void> {
    if (this.#session.live) return await this.#hearOpus(bytes);
    this.#checkLength(this.#session.secondsIn(bytes.length) ?? 0);
    for (let at = 0; at < bytes.length; at += PART_BYTES) {
      if (this.#mustRest) await new Promise<void>((resolve) => this.#rests?.rest(resolve));
      await this.#room.wait();
      if (!this.#isThere()) return;
      const beganMs = this.#nowMs();
      this.#give(this.#session.hear(bytes.subarray(at, at + PART_BYTES)));
      // resampling can take very long
      this.#mustRest = this.#rests !== undefined && this.#nowMs() - beganMs > LONG_MS;
    }
  }

  /** Hears the end of the signal: what decoder and resampler still hold. */
  async finish(): Promise<void> {
    this.#session.live?.end();
    await this.#takeDecoded();
    if (this.#isThere()) this.#give(this.#session.flush());
  }

  /** Has a worker decode a message, packets whole. */
  async #hearOpus(bytes: Uint8Array): Promise<void> {
    const session = this.#session;
    if (bytes.length > 0) session.checkMayHear();
    let seconds = 0;
    const partBytes = this.takesPackets ? bytes.length : CONTAINER_BYTES;
    for (let at = 0; at < bytes.length; at += partBytes) {
      session.live?.push(bytes.subarray(at, at + partBytes));
      seconds = await this.#takeDecoded(seconds);
      if (!this.#isThere()) return;
    }
  }

  /**
   * Takes what the worker decodes, each time when there is room for it.
   *
   * @param seconds of the same message so far; returns them with what came
   */
  async #takeDecoded(seconds = 0): Promise<number> {
    const session = this.#session;
    while (await session.live?.ready()) {
      await this.#room.wait();
      if (!this.#isThere()) break; // a resume goes on here
      const samples = session.take() ?? new Float32Array(0);
      this.#give(samples);
      seconds += samples.length / session.streams / MODEL_SAMPLE_RATE;
      this.#checkLength(seconds);
    }
    return seconds;
  }

  #checkLength(seconds: number): void {
    if (seconds <= this.#maxSeconds) return;
    const got = seconds.toFixed(1);
    throw new CpcError(
      "message_too_big",
      `a message may hold up to ${this.#maxSeconds} s of audio, got ${got} s; send it in parts`,
    );
  }
}
