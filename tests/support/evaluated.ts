/** `deno task eval` of a tiny model over a tiny corpus. */
import { z } from "zod";
import { evaluate } from "../../commands/eval.ts";
import { writeTinyModel } from "./models.ts";
import { writeTinyCorpus } from "./tiny_corpus.ts";

/** What `evaluation.json` holds. */
export const figuresSchema = z.array(
  z.object({ task: z.string(), system: z.string(), set: z.string(), figures: z.unknown() }),
);

/** Runs a test with a folder that holds the model `tiny` and recordings. */
export async function withFolder(
  use: (folder: string, manifest: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await writeTinyModel(folder);
    await use(folder, await writeTinyCorpus(folder));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Exit status, and what was written to standard output and standard error. */
export async function run(
  ...args: string[]
): Promise<{ status: number; out: string; said: string }> {
  const { error, log } = console;
  let [out, said] = ["", ""];
  console.error = (line: string) => said += `${line}\n`;
  console.log = (line: string) => out += `${line}\n`;
  try {
    return { status: await evaluate([...args, "--workers", "1"]), out, said };
  } finally {
    [console.error, console.log] = [error, log];
  }
}
