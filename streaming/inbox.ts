/** Messages of one socket that wait to be taken, and whether the socket is read meanwhile. */

/** Messages, and their bytes, that may wait before the socket is no longer read. */
const INBOX = { messages: 256, bytes: 256 * 1024 } as const;

/** What an inbox holds back. */
export interface Source {
  pause(): void;
  resume(): void;
}

/** A queue of messages whose source is paused while it is full or held. */
export class Inbox {
  readonly #source: Source;
  readonly #messages: (string | Uint8Array)[] = [];
  #bytes = 0;
  #held = false;
  #paused = false;

  constructor(source: Source) {
    this.#source = source;
  }

  /** Messages that wait. */
  get length(): number {
    return this.#messages.length;
  }

  /** The source is paused. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Adds a message. */
  push(data: string | Uint8Array): void {
    this.#messages.push(data);
    this.#bytes += data.length;
    this.#regulate();
  }

  /** Takes the oldest message; undefined when there is none. */
  shift(): string | Uint8Array | undefined {
    const data = this.#messages.shift();
    if (data !== undefined) this.#bytes -= data.length;
    this.#regulate();
    return data;
  }

  /** Whether the source must wait, whatever the inbox holds. */
  hold(held: boolean): void {
    this.#held = held;
    this.#regulate();
  }

  /** Forgets what waits; the source is read, so that it sees a close. */
  clear(): void {
    this.#messages.length = this.#bytes = 0;
    this.hold(false);
  }

  #regulate(): void {
    const full = this.#held || this.#messages.length > INBOX.messages || this.#bytes > INBOX.bytes;
    if (full === this.#paused) return;
    this.#paused = full;
    if (full) this.#source.pause();
    else this.#source.resume();
  }
}
