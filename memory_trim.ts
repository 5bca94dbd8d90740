/** Memory that the C library has free goes back to the system, over and over. */
import { openCLibrary } from "./c_library.ts";

/** Time between two trims; one takes about a millisecond, beside the event loop. */
const EVERY_MS = 60_000;

/**
 * Gives back what glibc has free in the middle of its heaps, again and again. By itself it gives
 * back the ends alone, so a server of months keeps the memory of its worst minute, and heaps grow
 * where blocks of unlike sizes and ages mix (docs/reliability.md, "Hours"). Nothing happens where
 * the C library is another one.
 *
 * @returns ends it
 */
export function trimMemory(everyMs = EVERY_MS): () => Promise<void> {
  const glibc = openCLibrary({
    malloc_trim: { parameters: ["usize"], result: "i32", nonblocking: true },
  });
  if (!glibc) return () => Promise.resolve();
  let underway: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => underway = glibc.symbols.malloc_trim(0n), everyMs);
  Deno.unrefTimer(timer);
  return async () => {
    clearInterval(timer);
    await underway;
    glibc.close();
  };
}
