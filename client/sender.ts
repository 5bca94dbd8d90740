/** Decides when to send: it follows the server's pace, the socket's room and the reader's. */
import type { Outbox } from "./outbox.ts";
import type { Connection } from "./socket.ts";
import type { StreamError } from "./stream_error.ts";

/** `send()` waits while more than this has not left. */
const HIGH_WATER_BYTES = 256 * 1024;
const POLL_MS = 15;
/** Unread frames beyond which audio is held back. */
const UNREAD_FRAMES = 2000;

/** What the sender needs from its stream. */
export interface Sending {
  readonly outbox: Outbox;
  /** The connection to write to now. */
  readonly connection: () => Connection | undefined;
  /** Audio that may be ahead of the processed part, in bytes. */
  readonly windowBytes: () => number;
  /** Audio known to have been processed, in bytes of the segment. */
  readonly confirmedBytes: () => number;
  /** Number of unread frames. */
  readonly unreadFrames: () => number;
}

/** Sends an outbox over whatever connection is open. */
export class Sender {
  readonly #of: Sending;
  #waiting: { resolve: () => void; reject: (error: StreamError) => void }[] = [];
  #poller: ReturnType<typeof setTimeout> | undefined;
  #isProbing = false;

  constructor(sending: Sending) {
    this.#of = sending;
  }

  /** Whether the server was asked for its position. */
  get isProbing(): boolean {
    return this.#isProbing;
  }

  /** Resolves when more audio is welcome. */
  async untilWelcome(): Promise<void> {
    this.pump();
    if (this.#isMoreWelcome()) return;
    await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Sends everything that may be sent now. */
  pump(): void {
    const { outbox, connection, windowBytes, confirmedBytes, unreadFrames } = this.#of;
    const open = connection();
    if (!open) return;
    for (let item = outbox.next; item && hasRoom(open); item = outbox.next) {
      if ("audio" in item) {
        if (unreadFrames() > UNREAD_FRAMES) break;
        const aheadBytes = outbox.sentBytes - confirmedBytes();
        if (aheadBytes > windowBytes() / 2 && !this.#isProbing) this.#probe(open);
        if (aheadBytes > windowBytes()) break;
        outbox.advance();
        open.send(item.audio);
      } else {
        outbox.advance();
        open.send(JSON.stringify(item.message));
      }
    }
    if (this.#isMoreWelcome()) { for (const { resolve } of this.#waiting.splice(0)) resolve(); }
    else if (!hasRoom(open)) this.#poller ??= setTimeout(() => this.#poll(), POLL_MS);
  }

  /** After a resume, the server may be asked again. */
  beginAgain(): void {
    this.#isProbing = false;
  }

  /** Ends sending. */
  end(why: StreamError): void {
    clearTimeout(this.#poller);
    for (const { reject } of this.#waiting.splice(0)) reject(why);
  }

  #poll(): void {
    this.#poller = undefined;
    this.pump();
  }

  /** Asks for the server's position when no frames show it. */
  #probe(connection: Connection): void {
    this.#isProbing = true;
    const message = { type: "mark" } as const;
    void this.#of.outbox.ask(message, {
      isSent: true,
      read: ({ type }) => {
        if (type !== "marked") return undefined;
        this.#isProbing = false;
        return true;
      },
    });
    connection.send(JSON.stringify(message));
  }

  #isMoreWelcome(): boolean {
    const connection = this.#of.connection();
    return connection !== undefined && this.#of.outbox.unsentBytes < HIGH_WATER_BYTES &&
      hasRoom(connection);
  }
}

function hasRoom(connection: Connection): boolean {
  return connection.bufferedBytes < HIGH_WATER_BYTES;
}
