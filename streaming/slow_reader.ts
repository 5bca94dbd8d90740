/** How long a client has left what was sent to it unread. */

/** What is to be done about a reader. */
export type ReaderVerdict = "fine" | "warn" | "end";

/** Watches one socket's outgoing buffer. */
export class SlowReader {
  #blockedSinceMs?: number;
  #warned = false;

  /** Looks at the reader; `warn` is said once per blockade, `end` when it lasted too long. */
  look(
    { blocked, nowMs, warnAfterS, endAfterS }: {
      blocked: boolean;
      nowMs: number;
      warnAfterS: number;
      endAfterS: number;
    },
  ): ReaderVerdict {
    if (!blocked) {
      this.#blockedSinceMs = undefined;
      this.#warned = false;
      return "fine";
    }
    this.#blockedSinceMs ??= nowMs;
    const blockedS = (nowMs - this.#blockedSinceMs) / 1000;
    if (blockedS >= endAfterS) return "end";
    if (blockedS < warnAfterS || this.#warned) return "fine";
    this.#warned = true;
    return "warn";
  }
}
