/** A folder for sessions that nobody else may read, and that ends with its supervisor. */
import { fileOf } from "../stores/sqlite_folder.ts";

/** Makes the folder (0700), with a file for each server (0600). @returns its path */
export function makePrivateStore(servers: number): string {
  const folder = Deno.makeTempDirSync({ prefix: "cpc-stream-" });
  for (let server = 1; server <= servers; server++) {
    const options = { write: true, createNew: true, mode: 0o600 }; // its log is like it
    Deno.openSync(fileOf(folder, server), options).close();
  }
  return folder;
}

/** Deletes the folder, if it is still there. */
export function removePrivateStore(folder: string): void {
  try {
    Deno.removeSync(folder, { recursive: true });
  } catch { /* another process was faster */ }
}
