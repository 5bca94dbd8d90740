/** How the server starts its worker threads. */
import { CpcError } from "./errors.ts";

/**
 * Descriptors that a thread needs when it starts, and some more. Without them its runtime ends the
 * whole process.
 */
const DESCRIPTORS = 16;

/** What a thread may do. */
export type ThreadRights = Deno.PermissionOptions;

/**
 * Starts a thread with fewer rights than the process has.
 *
 * @param url its module
 * @throws {CpcError} `overloaded` when the process has too few file descriptors left
 */
export function startThread(url: URL, rights: ThreadRights): Worker {
  checkDescriptors();
  return new Worker(url, { type: "module", deno: { permissions: rights } });
}

/** Opens and closes as many files as a thread would. */
function checkDescriptors(): void {
  const files: Deno.FsFile[] = [];
  try {
    for (let i = 0; i < DESCRIPTORS; i++) files.push(Deno.openSync(new URL(import.meta.url)));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) return; // this process may not look
    throw new CpcError("overloaded", "the server has no file descriptors left for a thread", {
      cause,
      retryAfterMs: 1000,
    });
  } finally {
    for (const file of files) file.close();
  }
}
