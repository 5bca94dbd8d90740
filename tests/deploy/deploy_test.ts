/**
 * The files in deploy/ name what the project has: its version, its Deno, its settings, its tasks.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { SERVER_SETTINGS } from "../../config/settings.ts";
import { environmentName } from "../../config/setting.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const FOLDER = join(ROOT, "deploy");

function files(folder = FOLDER): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? files(join(folder, name)) : [join(folder, name)]
  );
}

Deno.test("deploy/ names settings that the server has", () => {
  const known = new Set(
    Object.entries(SERVER_SETTINGS).map(([name, setting]) => environmentName(name, setting)),
  );
  for (const file of files()) {
    for (const [name] of Deno.readTextFileSync(file).matchAll(/\bCPC_[A-Z_]+\b/g)) {
      assert.ok(known.has(name), `${name} in ${file}`);
    }
  }
});

Deno.test("deploy/ names the version of the project and of Deno", async () => {
  const read = (path: string) => Deno.readTextFile(join(ROOT, path));
  const { version } = JSON.parse(await read("client/deno.json"));
  for (const file of files().filter((file) => file.endsWith(".yaml"))) {
    for (
      const [, tag] of Deno.readTextFileSync(file).matchAll(/(?:newTag: |image: cpc-stream:)(\S+)/g)
    ) assert.match(tag!, new RegExp(`^${version}(-gpu)?$`), file);
  }
  const [, deno] = /DENO_VERSION=(\S+)/.exec(await read("deploy/Dockerfile"))!;
  assert.ok((await read(".ci/run")).includes(`deno@${deno}`));
});

Deno.test("batch/slurm.sh gives each task of an array its shard", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(join(folder, "deno"), '#!/bin/sh\nprintf "%s|" "$@"\n');
    await Deno.chmod(join(folder, "deno"), 0o755);
    const { stdout, success } = await new Deno.Command("bash", {
      args: [join(FOLDER, "batch/slurm.sh"), "in", "out", "--pool", "mean"],
      env: {
        PATH: `${folder}:${Deno.env.get("PATH")}`,
        SLURM_SUBMIT_DIR: folder,
        SLURM_ARRAY_TASK_ID: "3",
        SLURM_ARRAY_TASK_COUNT: "8",
        SLURM_CPUS_PER_TASK: "4",
      },
    }).output();
    assert.ok(success);
    assert.equal(
      new TextDecoder().decode(stdout),
      "task|--quiet|embed|--shard|3/8|--workers|4|--out|out|--pool|mean|in|",
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
