import assert from "node:assert/strict";
import { join } from "node:path";
import { checkVersions, statedVersions, writeChecksums } from "../../commands/release.ts";
import { UsageError } from "../../errors.ts";
import { VERSION } from "../../version.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const read = (path: string) => Deno.readTextFileSync(join(ROOT, path));

Deno.test("checkVersions() finds one version in every place of this project", () => {
  const stated = statedVersions(read);
  assert.ok(stated.length >= 6);
  checkVersions(stated);
});

Deno.test("checkVersions() names the places that differ", () => {
  const stated: [string, string][] = [["a", VERSION], ["b", "9.9.9"]];
  assert.throws(() => checkVersions(stated), (error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /another version is in b \(9\.9\.9\)/);
    return true;
  });
});

Deno.test("statedVersions() refuses a file that states none", () => {
  assert.throws(
    () => statedVersions((path) => path.endsWith(".yaml") ? "" : read(path)),
    /kustomization.yaml states no version/,
  );
});

Deno.test("writeChecksums() writes what sha256sum checks", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(join(folder, "b"), "2");
    await Deno.writeTextFile(join(folder, "a"), "1");
    await writeChecksums(folder);
    const { success } = await new Deno.Command("sha256sum", {
      args: ["--check", "--strict", "--quiet", "SHA256SUMS"],
      cwd: folder,
    }).output();
    assert.ok(success);
    const lines = Deno.readTextFileSync(join(folder, "SHA256SUMS")).trimEnd().split("\n");
    assert.deepEqual(lines.map((line) => line.slice(-1)), ["a", "b"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
