/** The command lines of this project's tasks. */
import { z } from "zod";

const configSchema = z.object({ tasks: z.record(z.string(), z.string()) });

/** The words of a task after `deno`. @throws {TypeError} if there is no such task */
export async function taskWords(task: string): Promise<string[]> {
  const text = await Deno.readTextFile(new URL("../deno.json", import.meta.url));
  const [, ...words] = configSchema.parse(JSON.parse(text)).tasks[task]?.split(" ") ?? [];
  if (words.length === 0) throw new TypeError(`deno.json has no task ${task}`);
  return words;
}
