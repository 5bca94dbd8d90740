import assert from "node:assert/strict";
import { join } from "node:path";
import { importersIn, testsOf } from "../../../proof/mutate/reach.ts";

const FILES = {
  "a/x.ts": "",
  "a/y.ts": 'import "./x.ts";',
  "a/thread.ts": 'import { y } from "./y.ts";',
  "a/z.ts": 'startThread(new URL("./thread.ts", import.meta.url));',
  "tests/a/far_test.ts": 'import "../../a/z.ts";',
  "tests/a/near_test.ts": 'import "../../a/y.ts";',
  "tests/a/other_test.ts": "",
  "tests/a/x_test.ts": 'import "../../a/z.ts";\nimport "../../a/x.ts";',
  "tests/b/x_test.ts": 'import "../../a/x.ts";',
  "tests/threads_test.ts": 'import "../a/z.ts";',
};

Deno.test("testsOf() names the tests that load a file, also in a thread: its own first, then the nearest, then those of everything", async () => {
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
