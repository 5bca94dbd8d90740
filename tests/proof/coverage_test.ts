import assert from "node:assert/strict";
import { join } from "node:path";
import { UsageError } from "../../errors.ts";
import { linesReached, removeCutFiles } from "../../proof/coverage.ts";

const TABLE = `
| File           | Branch % | Line % |
| -------------- | -------- | ------ |
| errors.ts      |    100.0 |   97.0 |
| All files      |     88.1 |   93.4 |
`;

Deno.test("linesReached() reads the last cell of all files", () => {
  assert.equal(linesReached(TABLE), 93.4);
});

Deno.test("linesReached() refuses a folder without coverage", () => {
  assert.throws(() => linesReached("error: no coverage files"), UsageError);
});

Deno.test("removeCutFiles() removes what was written by half, and nothing else", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of [["whole.json", "{}"], ["cut.json", '{"a":'], ["empty.json", ""]]) {
      await Deno.writeTextFile(join(folder, name!), text!);
    }
    assert.equal(await removeCutFiles(folder), 2);
    assert.deepEqual(Array.from(Deno.readDirSync(folder), ({ name }) => name), ["whole.json"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
