/** Keeps a quiet stream open, and notices a connection that died silently. */
import type { Connection } from "./socket.ts";
import { StreamError } from "./stream_error.ts";

const TICK_MS = 1000;
const KEEP_ALIVE = JSON.stringify({ type: "keep_alive" });

/** What the heartbeat needs from its stream. */
export interface Beating {
  /** The connection to write to now. */
  readonly connection: () =>
    | Pick<Connection, "lastHeardMs" | "lastSentMs" | "drop" | "send">
    | undefined;
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
  /** When it first saw that an answer is owed; Infinity while none is. */
  #owedSinceMs = Infinity;

  constructor(beating: Beating) {
    this.#of = beating;
  }

  start(): void {
    this.#ticker = setInterval(() => this.look(Date.now()), TICK_MS);
  }

  stop(): void {
    clearInterval(this.#ticker);
  }

  /** Looks at the connection, and does what is due. */
  look(nowMs: number): void {
    const { connection, isAnswerOwed, idleMs, keepAlive, timeoutMs } = this.#of;
    const open = connection();
    if (!open) return;
    // a server that had nothing to say before has its time from the question on
    this.#owedSinceMs = isAnswerOwed() ? Math.min(this.#owedSinceMs, nowMs) : Infinity;
    if (nowMs - Math.max(open.lastHeardMs, this.#owedSinceMs) > timeoutMs) {
      const why = `the server sent nothing for ${timeoutMs} ms`;
      return open.drop(new StreamError("timeout", why, { retryable: true }));
    }
    if (keepAlive && nowMs - open.lastSentMs > idleMs() / 3) open.send(KEEP_ALIVE);
  }
}
