/** Refusals of checkpoints, and how names from a file are shown in them. */
import { CpcError } from "../../errors.ts";

/** @throws {CpcError} `checkpoint_invalid`, always */
export function refuse(why: string): never {
  throw new CpcError("checkpoint_invalid", why);
}

/**
 * Reads something of a file.
 *
 * @param name the file's name in messages
 * @throws {CpcError} `checkpoint_invalid`: a refusal, with the name before it
 */
export function naming<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CpcError)) throw error;
    throw new CpcError("checkpoint_invalid", `cannot convert ${name}: ${error.message}`, {
      cause: error,
    });
  }
}

/**
 * A name from a file as a message shows it: plain where it is a dotted name, else quoted, escaped
 * and cut at 80 characters.
 */
export function shown(name: string): string {
  return name.length <= 80 && /^[\w.]+$/.test(name)
    ? name
    : JSON.stringify(name.length <= 80 ? name : name.slice(0, 80) + "…");
}
