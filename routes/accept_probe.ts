/**
 * Checks that a listening server still accepts. Once `accept` has failed for want of a file
 * descriptor, Deno's node:http stops accepting for good and emits no event. Only listening again
 * helps.
 */

/** What a probe needs from its server. */
export interface ProbedServer {
  /** Whether it is short of sockets, so that `accept` may soon fail. */
  readonly isShort: boolean;
  /** Whether it does not listen on purpose, and will again by itself. */
  readonly isPaused: boolean;
  /**
   * Connects to the server; resolves to whether the server saw the connection within `withinMs`.
   */
  reaches(withinMs: number): Promise<boolean>;
  /** Closes the listener and listens again. Open connections stay. */
  relisten(): Promise<void>;
}

/** When to check, and when to give up, in milliseconds. */
export interface ProbeTimes {
  /** Time between two checks. */
  readonly everyMs: number;
  /** The same while the server is short of sockets. */
  readonly urgentMs: number;
  /** How long the server may take to see a connection. */
  readonly withinMs: number;
  /** How long listening again may fail before the probe gives up. */
  readonly giveUpMs: number;
}

/** Times in production. */
export const PROBE_TIMES: ProbeTimes = {
  everyMs: 5_000,
  urgentMs: 500,
  withinMs: 500,
  giveUpMs: 60_000,
};

/**
 * Connections that the server must have missed, one after the other: a thread with thousands of
 * sockets to close may miss one, and listening again resets connections that wait.
 */
const MISSES = 2;

/** Checks regularly whether a server accepts, and makes it listen again if it does not. */
export class AcceptProbe {
  readonly #server: ProbedServer;
  readonly #times: ProbeTimes;
  readonly #onDeaf: (failed: { error?: unknown; giveUp: boolean }) => void;
  readonly #nowMs: () => number;
  #acceptedMs: number;
  #timer?: ReturnType<typeof setTimeout>;
  #stopped = false;

  /**
   * @param options `onDeaf`: called each time the server had to listen again, with the error if
   *   that failed; `giveUp`: called after `giveUpMs` without an accepted connection
   */
  constructor(
    server: ProbedServer,
    { times = PROBE_TIMES, onDeaf, nowMs = () => performance.now() }: {
      times?: ProbeTimes;
      onDeaf: (failed: { error?: unknown; giveUp: boolean }) => void;
      nowMs?: () => number;
    },
  ) {
    this.#server = server;
    this.#times = times;
    this.#onDeaf = onDeaf;
    this.#nowMs = nowMs;
    this.#acceptedMs = nowMs();
    this.#plan();
  }

  /** The server has accepted a connection, so no check is needed for a while. */
  accepted(): void {
    this.#acceptedMs = this.#nowMs();
  }

  /** Stops checking. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #plan(): void {
    if (!this.#stopped) this.#timer = setTimeout(() => void this.look(), this.#times.urgentMs);
  }

  /** Checks now; resolves once it has checked and, if necessary, the server listens again. */
  async look(): Promise<void> {
    const { everyMs, urgentMs, withinMs, giveUpMs } = this.#times;
    clearTimeout(this.#timer);
    try {
      const quietMs = this.#nowMs() - this.#acceptedMs;
      const dueMs = this.#server.isShort ? urgentMs : everyMs;
      if (this.#server.isPaused || quietMs < dueMs) return;
      for (let n = 0; n < MISSES; n++) {
        if (await this.#server.reaches(withinMs) || this.#stopped || this.#server.isPaused) return;
      }
      let error: unknown;
      try {
        await this.#server.relisten();
      } catch (thrown) {
        error = thrown;
      }
      this.#onDeaf({ error, giveUp: this.#nowMs() - this.#acceptedMs >= giveUpMs });
    } finally {
      this.#plan();
    }
  }
}
