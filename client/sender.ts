/** When what waits may be sent: the server's pace, the socket's room, the reader's. */
import type { Outbox } from "./outbox.ts";
import type { Connection } from "./socket.ts";
import type { StreamError } from "./stream_error.ts";

/** `send()` waits while more than this is not on its way. */
const HIGH_WATER_BYTES = 256 * 1024;
const POLL_MS = 15;
/** Frames that a reader may leave unread before audio is held back. */
const UNREAD_FRAMES = 2000;

/** What the sender must know of its stream. */
export interface Sending {
  readonly outbox: Outbox;
  /** The connection that may be written to now. */
  readonly connection: () => Connection | undefined;
  /** Audio that may be ahead of what was processed, in bytes. */
  readonly windowBytes: () => number;
  /** Audio known to have been processed, in bytes of the segment. */
  readonly confirmedBytes: () => number;
  /** Frames that a reader has not taken. */
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

  /** Whether the server was asked how far it is. */
  get isProbing(): boolean {
    return this.#isProbing;
  }

  /** Resolves when more audio is welcome. */
  async untilWelcome(): Promise<void> {
    this.pump();
    if (this.#isMoreWelcome()) return;
    await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Sends what may be sent now. */
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

  /** A connection was taken up again: what was asked of the former one may be asked anew. */
  beginAgain(): void {
    this.#isProbing = false;
  }

  /** Nothing will be sent any more. */
  end(why: StreamError): void {
    clearTimeout(this.#poller);
    for (const { reject } of this.#waiting.splice(0)) reject(why);
  }

  #poll(): void {
    this.#poller = undefined;
    this.pump();
  }

  /** Asks how far the server is, where no frames tell. */
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
