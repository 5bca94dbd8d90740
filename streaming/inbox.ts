/** A queue of one socket's incoming messages, and whether the socket is read meanwhile. */
import { joined } from "../audio/byte_reader.ts";

/** Most messages, and their bytes, that may wait before the socket is no longer read. */
export const INBOX = { messages: 256, bytes: 256 * 1024 } as const;

/** What an inbox holds back. */
export interface Source {
  pause(): void;
  resume(): void;
}

/** A queue of messages. Its source is paused while the queue is full or held. */
export class Inbox {
  readonly #source: Source;
  #messages: (string | Uint8Array)[] = [];
  /** Messages at the front of the list that were taken. */
  #taken = 0;
  #bytes = 0;
  #held = false;
  #paused = false;

  constructor(source: Source) {
    this.#source = source;
  }

  /** Number of waiting messages. */
  get length(): number {
    return this.#messages.length - this.#taken;
  }

  /** Whether the source is paused. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Adds a message. */
  push(data: string | Uint8Array): void {
    this.#messages.push(data);
    this.#bytes += data.length;
    this.#regulate();
  }

  /**
   * Takes the oldest message, or undefined when there is none. Binary messages that follow one
   * another are joined, so that audio sent sample by sample costs little more than audio sent in
   * large messages.
   *
   * @param options `messages`, `bytes`: most that are joined
   */
  take(most: { messages: number; bytes: number }): string | Uint8Array | undefined {
    const first = this.#messages[this.#taken];
    if (first === undefined) return undefined;
    if (typeof first === "string") {
      this.#remove(1);
      return first;
    }
    const parts = [first];
    let bytes = first.length;
    for (let i = this.#taken + 1; parts.length < most.messages; i++) {
      const next = this.#messages[i];
      if (next === undefined || typeof next === "string") break;
      if (bytes + next.length > most.bytes) break;
      parts.push(next);
      bytes += next.length;
    }
    this.#remove(parts.length);
    return parts.length === 1 ? first : joined(parts, bytes);
  }

  /** Pauses the source whatever the inbox holds, or lets it go on. */
  hold(held: boolean): void {
    this.#held = held;
    this.#regulate();
  }

  /** Drops the waiting messages, and lets the source go on, so that it sees a close. */
  clear(): void {
    this.#messages = [];
    this.#taken = this.#bytes = 0;
    this.hold(false);
  }

  #remove(count: number): void {
    for (let i = 0; i < count; i++) this.#bytes -= this.#messages[this.#taken++]?.length ?? 0;
    if (this.#taken > INBOX.messages || this.length === 0) {
      this.#messages = this.#messages.slice(this.#taken);
      this.#taken = 0;
    }
    this.#regulate();
  }

  #regulate(): void {
    const full = this.#held || this.length > INBOX.messages || this.#bytes > INBOX.bytes;
    if (full === this.#paused) return;
    this.#paused = full;
    if (full) this.#source.pause();
    else this.#source.resume();
  }
}
