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
 *
 * @param privateStore the folder of sessions that ends with the supervisor
 */
export function serverCommand(store: StorePlace, privateStore?: string): string[] {
  const text = readFileSync(fileURLToPath(new URL("deno.json", ROOT)), "utf8");
  const { start } = configSchema.parse(JSON.parse(text)).tasks;
  const flags = start.split(" ").filter((word) =>
    word.startsWith("--") && !/^--allow-(run|write)\b/.test(word)
  );
  const folder = store.kind === "sqlite" ? dirname(resolve(store.file)) : privateStore;
  const writes = folder === undefined ? [] : [`--allow-write=${folder}`];
  return ["run", ...flags, ...writes, fileURLToPath(new URL("main.ts", ROOT)), SUPERVISED];
}
