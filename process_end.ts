/** The end of a process whose `Deno.exit()` does not come to an end. */
import { openCLibrary } from "./c_library.ts";
import { SIGNAL_THREAD_RIGHTS } from "./signals.ts";
import { startThread } from "./threads.ts";

/** An exit that takes longer has hung, or waits for a collector that does not answer. */
const HUNG_MS = 5000;

/** What the thread of {@linkcode endHungExits} is told when an exit begins. */
export interface Exit {
  readonly status: number;
  readonly withinMs: number;
}

/**
 * Ends the process at once: `Deno.exit` waits for destructors, which wait for busy threads.
 *
 * @returns undefined where the C library has another name, or may not be loaded
 */
export function processEnder(): ((status: number) => void) | undefined {
  const c = openCLibrary({ _exit: { parameters: ["i32"], result: "void" } });
  return c && ((status) => c.symbols._exit(status));
}

/**
 * Starts a thread that ends the process where `Deno.exit()` has begun and takes too long, with the
 * same status. With telemetry it waits for the collector, and Deno 2.9.6 hangs for good if its
 * exporter waits to be told the metrics (docs/tracing.md).
 *
 * @returns resolves once the thread runs
 */
export async function endHungExits(withinMs = HUNG_MS): Promise<void> {
  const thread = startThread(new URL("./exit_thread.ts", import.meta.url), SIGNAL_THREAD_RIGHTS);
  await new Promise((resolve) => thread.onmessage = resolve);
  addEventListener("unload", () => {
    const exit: Exit = { status: Deno.exitCode, withinMs };
    thread.postMessage(exit);
  });
}
