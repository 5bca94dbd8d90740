import assert from "node:assert/strict";
import { join } from "node:path";

const ROOT = new URL("../", import.meta.url).pathname;
const { test, tasks } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));

/** Code files below a folder, as paths from the root. */
function* codeFiles(folder = ""): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(join(ROOT, folder))) {
    const path = join(folder, name);
    if (name.startsWith(".") || name === "node_modules" || name === "dist") continue;
    if (isDirectory) yield* codeFiles(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

Deno.test("examples in docstrings run with the suite", () => {
  assert.match(tasks.test, /^deno test .*--doc /);
  const examples = [...codeFiles()].filter((file) =>
    /^\s*\* @example$/m.test(Deno.readTextFileSync(join(ROOT, file)))
  );
  assert.ok(examples.length > 20, `${examples.length} files have examples`);
  for (const file of examples) {
    const runs = test.include.some((place: string) => file === place || file.startsWith(place));
    assert.ok(runs, `the example in ${file} does not run: add its folder to test.include`);
  }
});
