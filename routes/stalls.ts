/** Watches how long the event loop stands still. */

/**
 * Time between two looks, in milliseconds; a stall shorter than this may be missed. Each look wakes
 * the thread, which takes about 0.1 ms.
 */
const TICK_MS = 50;

/**
 * Measures the event loop's delay: how much later than due a timer runs.
 *
 * @param observe told of each delay, in seconds
 * @param options `nowMs`: a clock, for tests
 * @returns ends the watch
 */
export function watchStalls(
  observe: (seconds: number) => void,
  { nowMs = () => performance.now() }: { nowMs?: () => number } = {},
): () => void {
  let dueMs = nowMs() + TICK_MS;
  const timer = setInterval(() => {
    observe(Math.max(0, nowMs() - dueMs) / 1000);
    dueMs = nowMs() + TICK_MS;
  }, TICK_MS);
  return () => clearInterval(timer);
}
