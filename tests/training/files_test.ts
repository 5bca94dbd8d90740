import assert from "node:assert/strict";
import { join } from "node:path";
import { bytesOf, jsonOf, replaceFile, textOf } from "../../training/files.ts";

Deno.test("replaceFile() has the new bytes on the disk before the file has them", async () => {
  const folder = await Deno.makeTempDir();
  const file = join(folder, "state");
  const { sync } = Deno.FsFile.prototype;
  const seen: string[] = [];
  Deno.FsFile.prototype.sync = async function () {
    seen.push(await Deno.readTextFile(file), await Deno.readTextFile(`${file}.new`));
    await sync.call(this);
  };
  try {
    await Deno.writeTextFile(file, "the old state, which is longer");
    await replaceFile(file, new TextEncoder().encode("the new one"));
    assert.deepEqual(seen, ["the old state, which is longer", "the new one"]);
    assert.equal(await Deno.readTextFile(file), "the new one");
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["state"]);
  } finally {
    Deno.FsFile.prototype.sync = sync;
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("bytesOf() and textOf() give nothing where there is no file, and name other failures", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "state");
    assert.deepEqual([await bytesOf(file), await textOf(file)], [undefined, undefined]);
    await Deno.writeTextFile(file, "{");
    assert.deepEqual([(await bytesOf(file))?.length, await textOf(file)], [1, "{"]);
    assert.equal(jsonOf("{"), undefined);
    await assert.rejects(textOf(folder), /directory/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
