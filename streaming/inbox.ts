/** The waiting messages of one socket; it pauses the socket while there are too many. */

/** Most messages and bytes that wait before the socket is paused. */
const INBOX = { messages: 256, bytes: 256 * 1024 } as const;

/** What an inbox pauses. */
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

  /** Number of waiting messages. */
  get length(): number {
    return this.#messages.length;
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

  /** Takes the oldest message; undefined when there is none. */
  shift(): string | Uint8Array | undefined {
    const data = this.#messages.shift();
    if (data !== undefined) this.#bytes -= data.length;
    this.#regulate();
    return data;
  }

  /** Pauses the source whatever the inbox holds, or lets it go on. */
  hold(held: boolean): void {
    this.#held = held;
    this.#regulate();
  }

  /** Drops the waiting messages, and lets the source go on, so that it sees a close. */
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
