/** Hearing other threads between two pieces of work that block this one. */
import { setImmediate } from "node:timers";

/**
 * Resolves after so many turns of the event loop.
 *
 * Deno's runtime looks at what other threads sent when it has nothing else to do, or else every
 * 31st turn (tokio's `global_queue_interval`). A thread that takes a step a turn hears a message up
 * to 31 steps late; after 32 turns it has handled all that was sent before. They take 0.06 ms; a
 * timer, which lets the thread idle, takes 2 ms.
 */
export async function listen(turns: number): Promise<void> {
  for (let n = 0; n < turns; n++) await new Promise<void>((resolve) => setImmediate(resolve));
}
