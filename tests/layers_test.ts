import assert from "node:assert/strict";
import { join, relative } from "node:path";

const ROOT = new URL("../", import.meta.url).pathname;
/** What each folder may import of ours, besides itself and the leaves. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  audio: [],
  model: [],
  streaming: ["model", "audio"],
  training: ["model", "audio"],
  routes: ["streaming", "model", "audio"],
  commands: ["routes", "streaming", "model", "audio", "training", "bench"],
};
/** Files at the root that import no folder of ours; config.ts takes names from model/engine.ts for its flags. */
const LEAVES = ["config.ts", "errors.ts", "log.ts", "metrics.ts"];

function* sources(folder: string): Generator<string> {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(folder)];
  } catch {
    return; // a folder of the plan that is not there yet
  }
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) yield* sources(path);
    else if (path.endsWith(".ts")) yield path;
  }
}

Deno.test("imports point one way: commands → routes → streaming → model; audio and the leaves import none of them", () => {
  for (const [folder, allowed] of Object.entries(MAY_IMPORT)) {
    for (const file of sources(join(ROOT, folder))) {
      for (const [, path] of Deno.readTextFileSync(file).matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)) {
        const target = relative(ROOT, join(file, "..", path));
        const room = target.includes("/") ? target.split("/")[0] : "";
        if (room === "") assert.ok(LEAVES.includes(target), `${relative(ROOT, file)} imports ${target}`);
        else assert.ok(room === folder || allowed.includes(room), `${relative(ROOT, file)} imports ${target}`);
      }
    }
  }
  for (const leaf of LEAVES) {
    for (const [, path] of Deno.readTextFileSync(join(ROOT, leaf)).matchAll(/from\s*"(\.[^"]+)"/g)) {
      assert.ok(
        LEAVES.includes(path.slice(2)) || (leaf === "config.ts" && path === "./model/engine.ts"),
        `${leaf} imports ${path}`,
      );
    }
  }
});
