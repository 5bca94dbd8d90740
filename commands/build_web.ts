/**
 * `deno task build:web`: bundles the client and the pages into the files that are committed and
 * served, so that no start needs a bundler.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import uplotLicence from "uplot/LICENSE" with { type: "text" };
import { type Command, runCommand } from "./cli.ts";

const ROOT = new URL("../", import.meta.url).pathname;

const BUILD_WEB: Command = {
  name: "build:web",
  about: "Bundles client/ and web/ into the files that are committed and served to browsers.",
  usage: "",
  settings: {},
};

/** What is bundled: served file → source. */
const BUNDLES = {
  "web/dist/worklet.js": "client/browser/worklet.ts", // first: others hold its text
  "client/cpc_client.js": "client/mod.ts",
  "web/dist/app.js": "web/app.ts",
  "web/dist/docs.js": "web/docs.ts",
  "web/dist/engine_wasm.js": "browser/worker.ts",
  "web/dist/engine_webgpu.js": "browser/worker.ts",
} as const;
type Bundle = keyof typeof BUNDLES;
/** ONNX Runtime Web for each engine: the entry of its package, and the WebAssembly beside it. */
const RUNTIMES: Partial<Record<Bundle, { entry: string; wasm: string }>> = {
  "web/dist/engine_wasm.js": { entry: "wasm", wasm: "ort-wasm-simd-threaded.wasm" },
  "web/dist/engine_webgpu.js": { entry: "webgpu", wasm: "ort-wasm-simd-threaded.asyncify.wasm" },
};
/** Modules that a browser has in place of a server's. */
const IN_BROWSERS = {
  "model/engines/onnx_runtime.ts": "browser/onnx_runtime.ts",
  "node:buffer": "browser/buffer.ts",
  "node:path": "browser/no_node.ts",
} as const;

/**
 * Bundles every entry with this Deno's bundler. Write each file before you ask for the next one,
 * which may hold its text.
 *
 * @returns paths from the root, each with its contents
 * @throws {Error} with what the bundler says
 */
export async function* bundles(): AsyncGenerator<[path: string, contents: Uint8Array]> {
  const bytes = (text: string) => new TextEncoder().encode(text);
  // one after another: two bundlers that fetch esbuild at once disturb each other
  for (const path of Object.keys(BUNDLES) as Bundle[]) {
    const { text, note } = await bundle(path);
    yield [path, bytes(note + text)];
    if (path === "web/dist/worklet.js") {
      yield ["client/browser/worklet_text.ts", bytes(asModule(text))];
    }
    const runtime = RUNTIMES[path];
    if (runtime) yield [path.replace(/js$/, "wasm.gz"), await packedWasm(runtime.wasm)];
  }
}

/** The worklet as text in a module: packages must load it without knowing where their files lie. */
function asModule(text: string): string {
  return "// Made of client/browser/worklet.ts by deno task build:web.\n" +
    `/** The code of the microphone's worklet. */\nexport const WORKLET: string = ${
      JSON.stringify(text.replaceAll(/^\/\/.*\n/gm, ""))
    };\n`;
}

async function bundle(path: Bundle): Promise<{ note: string; text: string }> {
  const source = BUNDLES[path];
  const lock = ["--frozen", "--lock=tests/deno.lock"];
  const runtime = RUNTIMES[path];
  const map = runtime && await browserMap(runtime.entry);
  const engine = map === undefined ? [] : ["--minify", "--import-map", map];
  const args = ["bundle", "--quiet", ...lock, "--platform=browser", ...engine, source];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  if (map !== undefined) await Deno.remove(map);
  const text = new TextDecoder();
  if (!success) throw new Error(`${source} cannot be bundled: ${text.decode(stderr)}`);
  const made = withoutCache(text.decode(stdout));
  const [server] = /\bfrom ?"node:[\w/]+"/.exec(made) ?? [];
  if (server) throw new Error(`${source} imports ${server}, which browsers lack: see IN_BROWSERS`);
  const licence = runtime
    ? await engineLicences()
    : made.includes("// npm:uplot/")
    ? `/*! uPlot:\n${uplotLicence}*/\n`
    : "";
  return { note: `// Made of ${source} by deno task build:web.\n${licence}`, text: made };
}

/** Of the packages in an engine, whose names are gone from the minified text. */
async function engineLicences(): Promise<string> {
  const { resolve } = createRequire(import.meta.url);
  const zod = await Deno.readTextFile(
    resolve("zod/package.json").replace(/package\.json$/, "LICENSE"),
  );
  return [
    "/*! onnxruntime-web: Copyright (c) Microsoft Corporation, MIT License, as below",
    "@bufbuild/protobuf: Copyright 2021-2026 Buf Technologies, Inc., Apache-2.0 AND BSD-3-Clause",
    `zod:\n${zod}*/\n`,
  ].join("\n");
}

/** An import map of what the engine imports, in a file. */
async function browserMap(entry: string): Promise<string> {
  const { imports, scopes } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  const url = (path: string) => new URL(path, pathToFileURL(ROOT)).href;
  const places = Object.entries(IN_BROWSERS).map(([there, here]) => [url(there), url(here)]);
  const map = {
    imports: {
      zod: imports.zod,
      "@bufbuild/protobuf/wire": `${imports["@bufbuild/protobuf"]}/wire`,
      "onnxruntime-web": `${scopes["./"]["onnxruntime-web"]}/${entry}`,
      ...Object.fromEntries(places),
    },
  };
  const path = await Deno.makeTempFile({ dir: join(ROOT, "web/dist"), suffix: ".json" });
  await Deno.writeTextFile(path, JSON.stringify(map));
  return path;
}

/** WebAssembly of ONNX Runtime Web, gzipped: a third of it. */
async function packedWasm(file: string): Promise<Uint8Array> {
  const { resolve } = createRequire(import.meta.url);
  const wasm = await Deno.readFile(resolve(`onnxruntime-web/${file}`));
  return new Uint8Array(gzipSync(wasm, { level: 9 }));
}

/** The bundler names each module's file; those of packages lie where this machine keeps them. */
function withoutCache(bundle: string): string {
  return bundle.replaceAll(/^\/\/ \S*\/npm\/[^/\s]+\/(\S+)$/gm, "// npm:$1");
}

async function write(): Promise<void> {
  for await (const [path, contents] of bundles()) {
    await Deno.writeFile(join(ROOT, path), contents);
    console.log(`${path}: ${contents.length} bytes`);
  }
}

if (import.meta.main) Deno.exit(await runCommand(BUILD_WEB, write, { args: Deno.args }));
