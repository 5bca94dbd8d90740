import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const ROOT = new URL("../", import.meta.url);
/** Most npm packages that a first `deno task start` may fetch. */
const MOST_PACKAGES = 60;
/** What a start loads: Deno follows no import into a Worker. */
const START = ["main.ts", "inference/worker/worker.ts", "audio/decode_worker.ts"];

const importsSchema = z.record(z.string(), z.string());
const configSchema = z.object({
  workspace: z.array(z.string()),
  imports: importsSchema,
  scopes: z.record(z.string(), importsSchema),
  allowScripts: z.strictObject({ deny: z.array(z.string()) }),
  lock: z.strictObject({ path: z.literal("deno.lock"), frozen: z.literal(true) }),
  tasks: z.record(z.string(), z.string()),
});
const lockSchema = z.object({
  npm: z.record(
    z.string(),
    z.object({
      integrity: z.string().startsWith("sha512-"),
      scripts: z.boolean().default(false),
    }),
  ),
});
const infoSchema = z.object({
  modules: z.array(z.object({
    dependencies: z.array(z.object({ specifier: z.string() })).default([]),
  })),
});

const config = configSchema.parse(read("deno.json"));
const locked = (path: string) => new Map(Object.entries(lockSchema.parse(read(path)).npm));
const start = locked("deno.lock");
const all = locked("tests/deno.lock");

function read(path: string): unknown {
  return JSON.parse(Deno.readTextFileSync(new URL(path, ROOT)));
}

/** Names of packages and `node:` modules that a start imports, from our own code. */
async function importedByStart(): Promise<Set<string>> {
  const infos = await Promise.all(START.map(async (path) => {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--quiet", "--lock", "tests/deno.lock", path],
      cwd: fileURLToPath(ROOT),
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return infoSchema.parse(JSON.parse(new TextDecoder().decode(stdout)));
  }));
  const specifiers = infos.flatMap(({ modules }) => modules)
    .flatMap(({ dependencies }) => dependencies.map(({ specifier }) => specifier));
  return new Set(specifiers.map((specifier) => /^(@[^/]+\/)?[^/]+/.exec(specifier)![0]));
}

Deno.test(`deno task start fetches ${MOST_PACKAGES} packages at most`, () => {
  // `deno task` fetches the whole lock file
  assert.ok(start.size > 0 && start.size <= MOST_PACKAGES, `deno.lock has ${start.size} packages`);
});

Deno.test("imports of deno.json are what a start imports; scopes have the rest", async () => {
  const imported = await importedByStart();
  const idle = Object.keys(config.imports).filter((name) => !imported.has(name));
  assert.deepEqual(idle, [], "move these to the scope of the folder that imports them");
});

Deno.test("folders with a deno.json of their own import nothing by it", () => {
  const memberSchema = z.strictObject({
    compilerOptions: z.record(z.string(), z.unknown()),
    // client/ is a package
    name: z.string().optional(),
    version: z.string().optional(),
    license: z.string().optional(),
    exports: z.record(z.string(), z.string()).optional(),
    publish: z.strictObject({ exclude: z.array(z.string()) }).optional(),
  });
  assert.ok(config.workspace.length > 0);
  // `deno task` would fetch their imports
  for (const member of config.workspace) memberSchema.parse(read(`${member}/deno.json`));
});

Deno.test("deno.json gives every package one exact version, in one place", () => {
  const entries = [config.imports, ...Object.values(config.scopes)].flatMap(Object.entries);
  const names = entries.map(([name]) => name);
  assert.deepEqual(names, [...new Set(names)]);
  for (const [name, specifier] of entries) {
    assert.match(specifier.replace(`npm:${name}@`, ""), /^\d+\.\d+\.\d+$/, `${name}: ${specifier}`);
  }
});

Deno.test("lock files agree: what is in two has one version and one checksum", () => {
  for (const path of ["deno.lock", "commands/deno.lock"]) {
    const packages = locked(path);
    assert.ok(packages.size > 0, path);
    for (const [name, entry] of packages) {
      assert.deepEqual(entry, all.get(name), `${name} of ${path} and of tests/deno.lock`);
    }
  }
});

Deno.test("no package's install script runs, and a first start says nothing about them", () => {
  const scripted = [...all].filter(([, { scripts }]) => scripts)
    .map(([name]) => `npm:${/^@?[^@]+/.exec(name)![0]}`);
  assert.deepEqual(config.allowScripts.deny, scripted);
});

Deno.test("every task names its permissions, and fails when its lock file lags", () => {
  for (const [name, task] of Object.entries(config.tasks)) {
    assert.doesNotMatch(task, /\s(-A|--allow-all)\b/, name);
    if (name === "lock") continue; // writes them
    for (const command of task.split("&&").filter((part) => /deno (run|test|check)\b/.test(part))) {
      assert.match(command, /\s--frozen\s/, `${name}: ${command}`);
    }
  }
});
