/** Reads the keys again, for every server of the port. */
import type { NamedFile } from "../../config/kinds.ts";
import type { Log } from "../../log.ts";
import { checkedKeys } from "./carry_out.ts";
import type { AskAll, Reloaded } from "./commands.ts";

/**
 * Reads the keys file once and has every server take what it holds.
 *
 * @throws {CpcError} `invalid_option` for a file that is unreadable or faulty: nothing is changed
 */
export async function reloadKeys(file: NamedFile, askAll: AskAll): Promise<Reloaded> {
  const answers = await askAll({ do: "reload", text: checkedKeys(() => file.text()) });
  const [{ keys, added, removed, changed }] = answers as [Reloaded, ...Reloaded[]]; // all the same
  return { keys, added, removed, changed, ended: answers.reduce((sum, one) => sum + one.ended, 0) };
}

/** The same, because a signal asked for it; the log says what came of it. */
export async function reloadAtSignal(
  file: NamedFile,
  { askAll, log }: { askAll: AskAll; log: Log },
): Promise<void> {
  const by = { signal: "SIGHUP" };
  try {
    log.info("the keys were read again", { ...by, ...await reloadKeys(file, askAll) });
  } catch (error) {
    log.error("the keys could not be read again", { ...by, error: (error as Error).message });
  }
}
