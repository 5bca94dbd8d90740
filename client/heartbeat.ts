/** Keeps a quiet stream open, and notices a connection that has died without a word. */
import type { Connection } from "./socket.ts";
import { StreamError } from "./stream_error.ts";

const TICK_MS = 1000;
const KEEP_ALIVE = JSON.stringify({ type: "keep_alive" });

/** What the heartbeat must know of its stream. */
export interface Beating {
  /** The connection that may be written to now. */
  readonly connection: () => Connection | undefined;
  readonly isAnswerOwed: () => boolean;
  /** After how long without a message the server ends a stream. */
  readonly idleMs: () => number;
  readonly keepAlive: boolean;
  /** For a sign of life while an answer is owed. */
  readonly timeoutMs: number;
}

/** Looks at a connection once a second. */
export class Heartbeat {
  readonly #of: Beating;
  #ticker: ReturnType<typeof setInterval> | undefined;

  constructor(beating: Beating) {
    this.#of = beating;
  }

  start(): void {
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.#ticker);
  }

  #tick(): void {
    const { connection, isAnswerOwed, idleMs, keepAlive, timeoutMs } = this.#of;
    const open = connection();
    if (!open) return;
    const nowMs = Date.now();
    if (isAnswerOwed() && nowMs - open.lastHeardMs > timeoutMs) {
      const why = `the server said nothing for ${timeoutMs} ms`;
      return open.drop(new StreamError("timeout", why, { retryable: true }));
    }
    if (keepAlive && nowMs - open.lastSentMs > idleMs() / 3) open.send(KEEP_ALIVE);
  }
}
