/** How many rows a step may have. */

/** Beyond this, a step on a CPU takes longer without becoming more efficient. */
const ON_CPU = 64;
/**
 * A card has its fixed costs per step, and computes rows by the hundred. With 1,000 live streams in
 * messages of 20 ms, this is a step of 256 of them.
 */
const ON_CARD = 512;

/** Most rows B · T of one step: a power of two. A driver in software is no card. */
export function mostRows({ onCard }: { onCard: boolean }): number {
  return onCard ? ON_CARD : ON_CPU;
}
