/**
 * `deno task build:web`: bundles the client and the pages into the files that are committed and
 * served, so that no start needs a bundler.
 */
import { join } from "node:path";
import uplotLicence from "uplot/LICENSE" with { type: "text" };
import { type Command, runCommand } from "./cli.ts";

const ROOT = new URL("../", import.meta.url).pathname;

const BUILD_WEB: Command = {
  name: "build:web",
  about: "Bundles client/ and web/ into the files that are committed and served to browsers.",
  usage: "",
  settings: {},
};

/** What is bundled: source → served file. */
const BUNDLES = {
  "client/mod.ts": "client/cpc_client.js",
  "web/app.ts": "web/dist/app.js",
  "web/docs.ts": "web/dist/docs.js",
  "web/sources/worklet.ts": "web/dist/worklet.js",
} as const;

/**
 * Bundles every entry with this Deno's bundler.
 *
 * @returns text by path from the root
 * @throws {Error} with what the bundler says
 */
export async function bundles(): Promise<Map<string, string>> {
  const made = new Map<string, string>();
  // one after another: two bundlers that fetch esbuild at once disturb each other
  for (const [source, path] of Object.entries(BUNDLES)) made.set(path, await bundle(source));
  return made;
}

async function bundle(source: string): Promise<string> {
  const lock = ["--frozen", "--lock=tests/deno.lock"];
  const args = ["bundle", "--quiet", ...lock, "--platform=browser", source];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${source} cannot be bundled: ${text.decode(stderr)}`);
  const made = withoutCache(text.decode(stdout));
  const licence = made.includes("// npm:uplot/") ? `/*! uPlot:\n${uplotLicence}*/\n` : "";
  return `// Made of ${source} by deno task build:web.\n${licence}${made}`;
}

/** The bundler names each module's file; those of packages lie where this machine keeps them. */
function withoutCache(bundle: string): string {
  return bundle.replaceAll(/^\/\/ \S*\/npm\/[^/\s]+\/(\S+)$/gm, "// npm:$1");
}

async function write(): Promise<void> {
  for (const [path, text] of await bundles()) {
    await Deno.writeTextFile(join(ROOT, path), text);
    console.log(`${path}: ${text.length} characters`);
  }
}

if (import.meta.main) Deno.exit(await runCommand(BUILD_WEB, write, { args: Deno.args }));
