/** Keeps a quiet stream open, and notices a connection that died silently. */
import type { Connection } from "./socket.ts";
import { StreamError } from "./stream_error.ts";

const TICK_MS = 1000;
const KEEP_ALIVE = JSON.stringify({ type: "keep_alive" });

/** What the heartbeat needs from its stream. */
export interface Beating {
  /** The connection to write to now. */
  readonly connection: () => Connection | undefined;
  readonly isAnswerOwed: () => boolean;
  /** Time without a message after which the server ends a stream. */
  readonly idleMs: () => number;
  readonly keepAlive: boolean;
  /** Time to wait for a sign of life while the server owes an answer. */
  readonly timeoutMs: number;
}

/** Checks a connection once a second. */
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
      const why = `the server sent nothing for ${timeoutMs} ms`;
      return open.drop(new StreamError("timeout", why, { retryable: true }));
    }
    if (keepAlive && nowMs - open.lastSentMs > idleMs() / 3) open.send(KEEP_ALIVE);
  }
}
