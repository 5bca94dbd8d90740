/** A folder for sessions that nobody else may read, and that ends with its supervisor. */

/** Makes the folder (0700). @returns its path */
export function makePrivateStore(): string {
  return Deno.makeTempDirSync({ prefix: "cpc-stream-" });
}

/** Deletes the folder, if it is still there. */
export function removePrivateStore(folder: string): void {
  try {
    Deno.removeSync(folder, { recursive: true });
  } catch { /* another process was faster */ }
}
