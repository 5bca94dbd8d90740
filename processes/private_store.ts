/** A file for sessions that nobody else may read, and that ends with its supervisor. */
import { dirname, join } from "node:path";

/** Makes the file: 0600, in a folder of its own that is 0700. @returns its path */
export function makePrivateStore(): string {
  const file = join(Deno.makeTempDirSync({ prefix: "cpc-stream-" }), "sessions.db");
  Deno.openSync(file, { write: true, createNew: true, mode: 0o600 }).close(); // its log is like it
  return file;
}

/** Deletes the file and its folder, if they are still there. */
export function removePrivateStore(file: string): void {
  try {
    Deno.removeSync(dirname(file), { recursive: true });
  } catch { /* another process was faster */ }
}
