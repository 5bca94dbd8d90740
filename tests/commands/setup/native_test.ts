import assert from "node:assert/strict";
import { join } from "node:path";
import { buildOnce, checkSystem, StepError, unpackWheel } from "../../../commands/setup/native.ts";
import { UsageError } from "../../../errors.ts";
import { leftOut } from "../../support/left_out.ts";

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A build that counts, in a folder. */
function building(folder: string) {
  const done: string[] = [];
  const options = {
    folder,
    stamp: { file: ".ready", text: "version 1" },
    force: false,
    inPlace: "in place",
    system: () => Promise.resolve(void done.push("system")),
    build: () => Promise.resolve(void done.push("build")),
    check: () => Promise.resolve(void done.push("check")),
  };
  return { done, options };
}

Deno.test("buildOnce() builds once; again for another version, or by force", async () => {
  await inFolder(async (folder) => {
    const { done, options } = building(join(folder, "new"));
    await buildOnce(options);
    await buildOnce(options);
    assert.deepEqual(done, ["system", "build", "check"]);
    await buildOnce({ ...options, stamp: { file: ".ready", text: "version 2" } });
    await buildOnce({ ...options, stamp: { file: ".ready", text: "version 2" }, force: true });
    assert.equal(done.length, 9);
  });
});

Deno.test("buildOnce() starts over after a build or a check that failed", async () => {
  await inFolder(async (folder) => {
    const { done, options } = building(folder);
    for (const part of ["build", "check"]) {
      await assert.rejects(
        buildOnce({ ...options, [part]: () => Promise.reject(new StepError(part)) }),
        { message: part },
      );
    }
    done.length = 0;
    await buildOnce(options);
    assert.deepEqual(done, ["system", "build", "check"]);
  });
});

Deno.test("buildOnce() touches nothing when a tool is missing", async () => {
  await inFolder(async (folder) => {
    const { options } = building(folder);
    await buildOnce(options);
    const missing = {
      ...options,
      force: true,
      system: () => Promise.reject(new UsageError("no g++")),
    };
    await assert.rejects(buildOnce(missing), /no g\+\+/);
    assert.equal(await Deno.readTextFile(join(folder, ".ready")), "version 1");
  });
});

const isPip = await checkSystem(["python3", "pip"], "").then(() => true, () => false);
if (!isPip) leftOut("the set-up's checksums", "python3 with pip is missing");
else {
  Deno.test("unpackWheel() unpacks the pinned wheel, and refuses any other", async () => {
    await inFolder(async (folder) => {
      const store = join(folder, "store");
      await Deno.mkdir(store);
      const file = join(store, "abacus-1.0-py3-none-any.whl");
      const write = "import sys,zipfile\nz=zipfile.ZipFile(sys.argv[1],'w')\n" +
        "z.writestr('abacus/bead.so','bead')\nz.writestr('abacus/other.py','')\n" +
        "z.writestr('abacus-1.0.dist-info/METADATA'," +
        "'Metadata-Version: 2.1\\nName: abacus\\nVersion: 1.0\\n')\n" +
        "z.writestr('abacus-1.0.dist-info/WHEEL'," +
        "'Wheel-Version: 1.0\\nTag: py3-none-any\\n')\nz.close()";
      assert.ok(
        (await new Deno.Command("python3", { args: ["-c", write, file] }).output()).success,
      );
      const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(file));
      const sha256 = new Uint8Array(digest).toHex();
      const before = {
        PIP_NO_INDEX: Deno.env.get("PIP_NO_INDEX"),
        PIP_FIND_LINKS: Deno.env.get("PIP_FIND_LINKS"),
      };
      Deno.env.set("PIP_NO_INDEX", "1"); // pip looks only here
      Deno.env.set("PIP_FIND_LINKS", store);
      try {
        const wheel = { name: "abacus", version: "1.0" };
        const parts = { folder, to: "out", parts: ["abacus/bead"] };
        await assert.rejects(
          unpackWheel({ ...wheel, sha256: "0".repeat(64) }, parts),
          (error: Error) => {
            return error instanceof StepError && /python3 -m pip download/.test(error.message) &&
              /hash/i.test(error.message);
          },
        );
        await unpackWheel({ ...wheel, sha256 }, parts);
        assert.deepEqual(
          [...Deno.readDirSync(join(folder, "out/abacus"))].map(({ name }) => name),
          ["bead.so"],
        );
      } finally {
        for (const [name, value] of Object.entries(before)) {
          if (value === undefined) Deno.env.delete(name);
          else Deno.env.set(name, value);
        }
      }
    });
  });
}
