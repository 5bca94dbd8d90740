/**
 * The clocks of one stream: whether its client answers, speaks and reads, and how old its session
 * is. Nothing else keeps time for a stream.
 */
import { CpcError } from "../errors.ts";
import { Pace } from "../inference/pace.ts";
import type { StreamLimits } from "./protocol/limits.ts";

/** Share of the idle timeout after which a client is warned. */
const IDLE_WARNING = 0.75;

/** How much longer than its backlog a stream must have been punctual not to have made it. */
const PUNCTUAL_MARGIN_S = 1;

/** What a watch looks at. */
export interface Watched {
  /** When the session began; undefined before `ready`. */
  readonly openedAtMs: number | undefined;
  /** Whether messages are being worked on; then the client owes nothing. */
  readonly busy: boolean;
  /** Whether the socket is paused. */
  readonly paused: boolean;
  /** Bytes that wait for the client to read them. */
  readonly waitingBytes: number;
}

/** What to do about a stream. */
export type Verdict =
  | { readonly act: "ping" | "cut" }
  | { readonly act: "warn"; readonly code: "idle" | "slow_reader"; readonly message: string }
  | { readonly act: "end"; readonly error: CpcError };

/** Watches one stream. */
export class Watch {
  readonly #limits: StreamLimits;
  #heardMs: number;
  #audioMs = -Infinity;
  readonly #pace = new Pace();
  /** Since when audio has come no faster than speech; Infinity while it comes faster. */
  #punctualSinceMs = Infinity;
  #warnedIdle = false;
  #pingedMs: number;
  #pingAnswered = true;
  /** Since when more waits than may. */
  #blockedSinceMs?: number;
  #warnedSlowReader = false;

  constructor(limits: StreamLimits, nowMs: number) {
    this.#limits = limits;
    this.#heardMs = this.#pingedMs = nowMs;
  }

  /** When audio last arrived, in milliseconds; -Infinity before any. */
  get audioMs(): number {
    return this.#audioMs;
  }

  /** A message arrived. */
  heard(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#warnedIdle = false;
    this.#pingAnswered = true;
  }

  /** Audio is on its way to the model. */
  heardAudio(seconds: number, nowMs: number): void {
    this.#audioMs = nowMs;
    const wasPunctual = this.#pace.punctual;
    this.#pace.heard(seconds, nowMs);
    if (!this.#pace.punctual) this.#punctualSinceMs = Infinity;
    else if (!wasPunctual || this.#punctualSinceMs === Infinity) this.#punctualSinceMs = nowMs;
  }

  /**
   * Seconds of audio that wait although all of it came at the pace of speech, so that the server
   * is to blame; 0 for a backlog that the client may have made itself.
   */
  lateS(queuedS: number, nowMs: number): number {
    const madeItself = this.#punctualSinceMs > nowMs - (queuedS + PUNCTUAL_MARGIN_S) * 1000;
    return madeItself ? 0 : queuedS;
  }

  /** Everything received has been worked on: it is the client's turn. */
  caughtUp(nowMs: number): void {
    this.#heardMs = nowMs;
  }

  /** The client has answered a ping. */
  answered(): void {
    this.#pingAnswered = true;
  }

  /** Decides what to do now. */
  look(nowMs: number, watched: Watched): Verdict[] {
    return [
      this.#ping(nowMs, watched),
      this.#reader(nowMs, watched),
      this.#age(nowMs, watched) ?? this.#idle(nowMs, watched),
    ].filter((verdict) => verdict !== undefined);
  }

  #ping(nowMs: number, { paused }: Watched): Verdict | undefined {
    if (paused) { // an answer would wait with everything else
      this.#pingedMs = nowMs;
      this.#pingAnswered = true;
      return undefined;
    }
    if (nowMs - this.#pingedMs < this.#limits.pingS * 1000) return undefined;
    if (!this.#pingAnswered) return { act: "cut" };
    this.#pingedMs = nowMs;
    this.#pingAnswered = false;
    return { act: "ping" };
  }

  #reader(nowMs: number, { waitingBytes }: Watched): Verdict | undefined {
    const { maxOutputBytes, slowReaderWarningS, slowReaderTimeoutS } = this.#limits;
    if (waitingBytes <= maxOutputBytes) {
      this.#blockedSinceMs = undefined;
      this.#warnedSlowReader = false;
      return undefined;
    }
    this.#blockedSinceMs ??= nowMs;
    const blockedS = (nowMs - this.#blockedSinceMs) / 1000;
    if (blockedS >= slowReaderTimeoutS) {
      return end(
        "slow_reader",
        `${waitingBytes} bytes have waited ${slowReaderTimeoutS} s to be read; read faster ` +
          "or ask for less",
      );
    }
    if (blockedS < slowReaderWarningS || this.#warnedSlowReader) return undefined;
    this.#warnedSlowReader = true;
    const message =
      `frames wait to be read; the stream ends when this lasts ${slowReaderTimeoutS} s`;
    return { act: "warn", code: "slow_reader", message };
  }

  #age(nowMs: number, { openedAtMs = nowMs }: Watched): Verdict | undefined {
    const { sessionLimitS } = this.#limits;
    if (nowMs - openedAtMs < sessionLimitS * 1000) return undefined;
    return end("session_limit", `a session lasts at most ${sessionLimitS} s; begin a new one`);
  }

  #idle(nowMs: number, { busy }: Watched): Verdict | undefined {
    if (busy) this.#heardMs = nowMs;
    const { idleTimeoutS } = this.#limits;
    const idleS = (nowMs - this.#heardMs) / 1000;
    if (idleS >= idleTimeoutS) {
      return end(
        "idle_timeout",
        `no message for ${idleTimeoutS} s; send audio, or keep_alive while there is none`,
      );
    }
    if (idleS < idleTimeoutS * IDLE_WARNING || this.#warnedIdle) return undefined;
    this.#warnedIdle = true;
    const message = `no message for ${
      Math.round(idleS)
    } s; the stream ends after ${idleTimeoutS} s without a message`;
    return { act: "warn", code: "idle", message };
  }
}

function end(code: "slow_reader" | "session_limit" | "idle_timeout", message: string): Verdict {
  return { act: "end", error: new CpcError(code, message) };
}
