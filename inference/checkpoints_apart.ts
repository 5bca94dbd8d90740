/** How often a stream's state is kept for a resume. */

/** Bytes of heads' states that may be new in a checkpoint, for each interval until the next one. */
export const COSTLY_BYTES = 1024 * 1024;
/** So many intervals of 2 s are half of what a session remembers. */
const MOST_APART = 15;

/**
 * How many intervals after a checkpoint the next one is due. What is new in one is copied between
 * threads, kept for a resume and written to the store; a resume computes the audio since instead.
 *
 * @param floats of the heads' states that were new in the checkpoint
 */
export function checkpointsApart(floats: number): number {
  return Math.min(MOST_APART, Math.max(1, Math.ceil(floats * 4 / COSTLY_BYTES)));
}
