/** Listens to other threads between two steps, which block this one. */
import { setImmediate } from "node:timers";

/**
 * Resolves after this many turns of the event loop, or as soon as nothing more is on its way.
 *
 * Deno's runtime looks for messages from other threads when it has nothing else to do, or otherwise
 * every 31st turn (tokio's `global_queue_interval`). A thread that takes one step per turn receives
 * a message up to 31 steps late. After 32 turns, it has handled everything sent before. They take
 * 0.06 ms; a timer, which lets the thread idle, takes 2 ms.
 *
 * @param isOnItsWay whether something was sent that has not come yet; by default nobody knows
 */
export async function listen(turns: number, isOnItsWay: () => boolean = () => true): Promise<void> {
  for (let n = 0; n < turns && isOnItsWay(); n++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
