/** Signals that end the server, and the thread that hears a second one. */
import { startThread, type ThreadRights } from "./threads.ts";

/** Signals that stop a server. */
export const STOP_SIGNALS = ["SIGINT", "SIGTERM"] as const;
/** A signal to a whole group of processes comes twice: from its sender, and by `deno task`. */
export const SAME_SIGNAL_MS = 100;

/** It ends the process by the C library, and needs nothing else. */
export const SIGNAL_THREAD_RIGHTS: ThreadRights = {
  net: false,
  write: false,
  run: false,
  import: false,
  read: false,
  env: false,
  sys: false,
  ffi: "inherit",
};

/**
 * Starts a thread that ends the process with status 0 at the second of {@linkcode STOP_SIGNALS}.
 * The main thread hears signals too, but late while clients keep it busy: then it cannot tell a
 * second signal from the same one that came twice.
 *
 * @returns resolves once it listens
 */
export async function endAtSecondSignal(): Promise<void> {
  const thread = startThread(new URL("./signal_thread.ts", import.meta.url), SIGNAL_THREAD_RIGHTS);
  await new Promise<void>((resolve) => {
    thread.onmessage = ({ data }: MessageEvent<"listens" | "end">) =>
      data === "listens" ? resolve() : Deno.exit(0);
  });
}
