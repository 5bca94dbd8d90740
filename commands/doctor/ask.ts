/** Asks `probe.ts` in a process that may crash. */
import { z } from "zod";
import { UsageError } from "../../errors.ts";
import { isolated } from "../isolated.ts";

const PROBE = new URL("./probe.ts", import.meta.url);
/** How long one question may take. Loading CUDA for the first time takes tens of seconds. */
const ASK_MS = 120_000;

const reply = z.union([
  z.object({ answer: z.unknown() }),
  z.object({ failed: z.string() }),
  z.object({ badWeights: z.string() }),
]);

/**
 * Asks one question in a process of its own.
 *
 * @throws {Error} explaining why there is no answer
 * @throws {UsageError} for a weights folder that does not load
 */
export async function ask<T>(schema: z.ZodType<T>, args: string[], boundMs = ASK_MS): Promise<T> {
  const said = reply.parse(await isolated(PROBE, args, { boundMs }));
  if ("badWeights" in said) throw new UsageError(said.badWeights);
  if ("failed" in said) throw new Error(said.failed);
  return schema.parse(said.answer);
}
