/** Resuming after a lost connection: when to try, how often, and when to give up. */
import type { State } from "./events.ts";
import { type StreamError, toStreamError } from "./stream_error.ts";

const BACKOFF_MS = { first: 250, longest: 8000 };
/** Errors after which the stream is over, though a new one may begin. */
const GONE_FOR_GOOD: ReadonlySet<string> = new Set(["session_limit", "idle_timeout"]);

/** Whether a stream that ended with this error can be resumed. */
export function canResume(error: StreamError): boolean {
  return error.retryable && !GONE_FOR_GOOD.has(error.code);
}

/**
 * Dials until a connection succeeds.
 *
 * @param error the reason for the loss
 * @param how `dial` connects to the session, with another `received` if the first was refused;
 *   `isResetPending`: whether a reset's answer may have been lost; `tells` reports each attempt;
 *   `signal` ends the wait
 * @returns once connected, or once the signal ended the wait
 * @throws {StreamError} that made it give up
 */
export async function resume(
  error: StreamError,
  { forMs, received, dial, isResetPending, tells, signal }: {
    readonly forMs: number;
    readonly received: number;
    readonly dial: (received: number) => Promise<void>;
    readonly isResetPending: () => boolean;
    readonly tells: (state: State) => void;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const deadlineMs = Date.now() + forMs;
  let asked = received;
  for (let attempt = 1;; attempt++) {
    const backoffMs = Math.min(BACKOFF_MS.longest, BACKOFF_MS.first * 2 ** (attempt - 1)) *
      (0.5 + Math.random() / 2);
    const retryInMs = Math.max(backoffMs, error.retryAfterMs ?? 0);
    tells({ state: "resuming", attempt, retryInMs, error });
    if (Date.now() + retryInMs > deadlineMs) throw error;
    await wait(retryInMs, signal);
    if (signal.aborted) return;
    try {
      return await dial(asked);
    } catch (thrown) {
      if (signal.aborted) return;
      error = toStreamError(thrown);
      // After a reset whose answer was lost, the server's segment has fewer frames than ours.
      if (error.param === "received" && asked > 0 && isResetPending()) asked = 0;
      else if (!error.retryable) throw error;
    }
  }
}

/** Waits, or returns when a signal ends it. */
function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
