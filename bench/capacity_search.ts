/** Searches for the largest load that a server holds. */

/**
 * The largest number of streams that is held: doubles until one is not, then bisects. It takes
 * whoever holds n to hold every smaller number too.
 *
 * @param holds measures a number of streams
 * @param options `most`: the largest number to try; `within`: how near is near enough, as a share
 *   of the number (default: to the last stream)
 * @returns 0 if not even one is held
 */
export async function largestHeld(
  holds: (streams: number) => Promise<boolean>,
  { most, within = 0 }: { most: number; within?: number },
): Promise<number> {
  let held = 0;
  let next = 1;
  while (await holds(next)) {
    held = next;
    if (held === most) return held;
    next = Math.min(2 * held, most);
  }
  let failed = next;
  while (failed - held > Math.max(1, within * held)) {
    const middle = (held + failed) >> 1;
    if (await holds(middle)) held = middle;
    else failed = middle;
  }
  return held;
}
