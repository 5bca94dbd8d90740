import assert from "node:assert/strict";
import { join } from "node:path";
import { importersIn, testsOf } from "../../../proof/mutate/reach.ts";

/** A file that loads others. */
const loads = (...names: string[]) => names.map((name) => `import "${name}.ts";\n`).join("");

const FILES = {
  "a/x.ts": "",
  "a/y.ts": loads("./x"),
  "a/thread.ts": loads("./y"),
  "a/z.ts": loads("./thread").replace("import", "startThread"),
  "tests/a/far_test.ts": loads("../../a/z"),
  "tests/a/near_test.ts": loads("../../a/y"),
  "tests/a/other_test.ts": "",
  "tests/a/x_test.ts": loads("../../a/z", "../../a/x"),
  "tests/b/x_test.ts": loads("../../a/x"),
  "tests/threads_test.ts": loads("../a/z"),
};

Deno.test("testsOf() names the tests that load a file, its own first, then near ones", async () => {
  const root = await Deno.makeTempDir();
  try {
    for (const [path, text] of Object.entries(FILES)) {
      await Deno.mkdir(join(root, path, ".."), { recursive: true });
      await Deno.writeTextFile(join(root, path), text);
    }
    const options = { importers: importersIn(root), folder: "tests/a" };
    const [own, near, far] = ["x", "near", "far"].map((name) => `tests/a/${name}_test.ts`);
    assert.deepEqual(testsOf("a/x.ts", options), [own, near, far, "tests/threads_test.ts"]);
    assert.deepEqual(testsOf("a/z.ts", options), [far, own, "tests/threads_test.ts"]);
    assert.deepEqual(testsOf("a/none.ts", options), []);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
