/**
 * Whether a listening server still accepts. Deno's node:http stops accepting for good, without an
 * event, once `accept` has failed (no file descriptor was left): only listening anew helps.
 */

/** What a probe asks of its server. */
export interface ProbedServer {
  /** Connects to the server; resolves to whether the server has seen it within `withinMs`. */
  reaches(withinMs: number): Promise<boolean>;
  /** Closes the listener and listens again; open connections stay. */
  relisten(): Promise<void>;
}

/** When to look, and when to give up, in milliseconds. */
export interface ProbeTimes {
  /** Between two looks. */
  readonly everyMs: number;
  /** How long the server may take to see a connection. */
  readonly withinMs: number;
  /** How long listening anew may fail before the server is given up. */
  readonly giveUpMs: number;
}

/** Production's times. */
export const PROBE_TIMES: ProbeTimes = { everyMs: 5_000, withinMs: 2_000, giveUpMs: 60_000 };

/** Looks now and then whether a server accepts, and makes it listen anew when it does not. */
export class AcceptProbe {
  readonly #server: ProbedServer;
  readonly #times: ProbeTimes;
  readonly #onDeaf: (failed: { error?: unknown; giveUp: boolean }) => void;
  readonly #nowMs: () => number;
  #acceptedMs: number;
  #timer?: ReturnType<typeof setTimeout>;
  #stopped = false;

  /**
   * @param options `onDeaf`: told each time that the server had to listen anew, with the error when
   *   that failed; `giveUp` after `giveUpMs` without an accepted connection
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

  /** The server has accepted a connection: there is no need to look for a while. */
  accepted(): void {
    this.#acceptedMs = this.#nowMs();
  }

  /** Ends looking. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #plan(): void {
    if (!this.#stopped) this.#timer = setTimeout(() => void this.look(), this.#times.everyMs);
  }

  /** Looks now; resolves when it has looked and, where need was, the server listens again. */
  async look(): Promise<void> {
    const { everyMs, withinMs, giveUpMs } = this.#times;
    clearTimeout(this.#timer);
    try {
      const quietMs = this.#nowMs() - this.#acceptedMs;
      if (quietMs < everyMs || await this.#server.reaches(withinMs) || this.#stopped) return;
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
