import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { gunzipSync } from "node:zlib";
import { bundles } from "../../commands/build_web.ts";

const ROOT = new URL("../../", import.meta.url);

let made: Promise<readonly [path: string, contents: Uint8Array][]> | undefined;

/** All bundles, made once. */
function allBundles() {
  return made ??= Array.fromAsync(bundles());
}

/** Whether two files are the same; of packed ones, what is in them. */
function isSame(committed: Uint8Array, made: Uint8Array, path: string): boolean {
  if (!path.endsWith(".gz")) return Buffer.compare(committed, made) === 0;
  return Buffer.compare(gunzipSync(committed), gunzipSync(made)) === 0;
}

Deno.test("bundles() gives what is committed and served", async () => {
  const all = await allBundles();
  for (const [path, contents] of all) {
    assert.ok(
      isSame(Deno.readFileSync(new URL(path, ROOT)), contents, path),
      `${path} is not what its sources give: run deno task build:web (with Deno 2.9.6, whose ` +
        `bundler made it; this is ${Deno.version.deno})`,
    );
  }
  assert.ok(all.length > 4);
});

Deno.test("bundles(): client.js is one module, with nothing of the server in it", async () => {
  const text = await Deno.readTextFile(new URL("client/cpc_client.js", ROOT));
  const parts = Array.from(text.matchAll(/^\/\/ (\S+\.\w+)$/gm), ([, path]) => path ?? "");
  assert.ok(parts.length > 5 && parts.every((path) => path.startsWith("client/")), parts.join());
  assert.doesNotMatch(text, /^import\b|\bimport\(|\brequire\(/m);
});

Deno.test("bundles() brings packages' licences, and no path of this machine", async () => {
  for (const [path, contents] of await allBundles()) {
    if (path.endsWith(".gz")) continue;
    const text = new TextDecoder().decode(contents);
    if (/\/engine_\w+\.js$/.test(path)) { // the names of its packages are gone
      for (const name of ["onnxruntime-web", "@bufbuild/protobuf", "zod"]) {
        assert.match(text, new RegExp(`^(?:/\\*! )?${name}:[^*]*Copyright`, "m"), path);
      }
    }
    const packages = text.matchAll(/^\/\/ npm:([^/]+)\//gm);
    for (const [, name] of packages) {
      assert.match(text, new RegExp(`^/\\*! ${name}:[^*]*Copyright \\(c\\)`, "im"), path);
    }
    assert.doesNotMatch(text, /^\/\/ .*(?:\.\.\/|registry|cache)/m, path);
  }
});

Deno.test("bundles(): a page's engine has nothing of a server's in it", () => {
  const text = ["wasm", "webgpu"].map((device) =>
    Deno.readTextFileSync(new URL(`web/dist/engine_${device}.js`, ROOT))
  ).join("");
  assert.doesNotMatch(text, /\bfrom"[.\w@:]+\/|\bfrom"node:|\bimport"/, "it is one module");
  assert.doesNotMatch(
    text,
    /not for browsers|serialize:\w+,deserialize/,
    "and calls no node: module",
  );
});

Deno.test("deno task build:web shows help, and refuses what it does not know", async () => {
  const run = (arg: string) =>
    new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--lock=tests/deno.lock",
        "--allow-read",
        "commands/build_web.ts",
        arg,
      ],
      cwd: ROOT,
    }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const help = await run("--help");
  assert.equal(help.code, 0);
  assert.match(text(help.stdout), /usage: deno task build:web\n/);
  const unknown = await run("--fast");
  assert.equal(unknown.code, 2);
  assert.match(text(unknown.stderr), /^deno task build:web: Unknown option '--fast'/);
});
