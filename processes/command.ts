/** The command line of a server that has a supervisor. */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { StorePlace } from "../config/store.ts";
import { SUPERVISED } from "./messages.ts";

const ROOT = new URL("../", import.meta.url);
const configSchema = z.object({ tasks: z.object({ start: z.string() }) });

/**
 * The words after `deno`: those of the task `start`, without its right to run programs, and with
 * the right to write in the folder of the store alone.
 */
export function serverCommand(store: StorePlace): string[] {
  const text = readFileSync(fileURLToPath(new URL("deno.json", ROOT)), "utf8");
  const { start } = configSchema.parse(JSON.parse(text)).tasks;
  const flags = start.split(" ").filter((word) =>
    word.startsWith("--") && !/^--allow-(run|write)\b/.test(word)
  );
  const writes = store.kind === "sqlite" ? [`--allow-write=${dirname(resolve(store.file))}`] : [];
  return ["run", ...flags, ...writes, fileURLToPath(new URL("main.ts", ROOT)), SUPERVISED];
}
