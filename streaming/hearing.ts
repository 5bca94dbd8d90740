/**
 * The way of one stream's audio from a message to its samples: decoded part by part, each when
 * there is room for what it gives.
 */
import { CpcError } from "../errors.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import type { Room } from "./room.ts";
import type { Session } from "./session/session.ts";

/** Bytes decoded at once. */
export const PART_BYTES = 32 * 1024;

/** What hears for one connection. */
export class Hearing {
  readonly #session: Session;
  readonly #room: Pick<Room, "wait">;
  readonly #maxSeconds: number;
  readonly #isThere: () => boolean;
  readonly #give: (samples: Float32Array<ArrayBuffer>) => void;

  /**
   * @param options `maxSeconds`: most audio in a message; `isThere`: whether the client still is;
   *   `give`: takes samples at 16 kHz, `[n, streams]`
   */
  constructor(session: Session, { room, maxSeconds, isThere, give }: {
    room: Pick<Room, "wait">;
    maxSeconds: number;
    isThere: () => boolean;
    give: (samples: Float32Array<ArrayBuffer>) => void;
  }) {
    this.#session = session;
    this.#room = room;
    this.#maxSeconds = maxSeconds;
    this.#isThere = isThere;
    this.#give = give;
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
      await this.#room.wait();
      if (!this.#isThere()) return;
      this.#give(this.#session.hear(bytes.subarray(at, at + PART_BYTES)));
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
    const partBytes = this.takesPackets ? bytes.length : PART_BYTES;
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
