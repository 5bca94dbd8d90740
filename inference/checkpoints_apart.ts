/** How often a stream's state is kept for a resume. */

/** Bytes of heads' states for which a checkpoint costs so much that it is taken half as often. */
const COSTLY_BYTES = 1024 * 1024;

/**
 * How many times as far apart as others checkpoints of so large a state are: they are copied
 * between threads and kept for a resume, which computes the audio since instead.
 *
 * @param floats of the heads' states
 */
export function checkpointsApart(floats: number): number {
  return Math.max(1, Math.ceil(floats * 4 / COSTLY_BYTES));
}
