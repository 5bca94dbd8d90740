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
  "client/browser/worklet.ts": "web/dist/worklet.js", // first: others hold its text
  "client/mod.ts": "client/cpc_client.js",
  "web/app.ts": "web/dist/app.js",
  "web/docs.ts": "web/dist/docs.js",
} as const;

/**
 * Bundles every entry with this Deno's bundler. Write each file before you ask for the next one,
 * which may hold its text.
 *
 * @returns paths from the root, each with its text
 * @throws {Error} with what the bundler says
 */
export async function* bundles(): AsyncGenerator<[path: string, text: string]> {
  // one after another: two bundlers that fetch esbuild at once disturb each other
  for (const [source, path] of Object.entries(BUNDLES)) {
    const { text, note } = await bundle(source);
    yield [path, note + text];
    if (path === "web/dist/worklet.js") yield ["client/browser/worklet_text.ts", asModule(text)];
  }
}

/** The worklet as text in a module: packages must load it without knowing where their files lie. */
function asModule(text: string): string {
  return "// Made of client/browser/worklet.ts by deno task build:web.\n" +
    `/** The code of the microphone's worklet. */\nexport const WORKLET: string = ${
      JSON.stringify(text.replaceAll(/^\/\/.*\n/gm, ""))
    };\n`;
}

async function bundle(source: string): Promise<{ note: string; text: string }> {
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
  return { note: `// Made of ${source} by deno task build:web.\n${licence}`, text: made };
}

/** The bundler names each module's file; those of packages lie where this machine keeps them. */
function withoutCache(bundle: string): string {
  return bundle.replaceAll(/^\/\/ \S*\/npm\/[^/\s]+\/(\S+)$/gm, "// npm:$1");
}

async function write(): Promise<void> {
  for await (const [path, text] of bundles()) {
    await Deno.writeTextFile(join(ROOT, path), text);
    console.log(`${path}: ${text.length} characters`);
  }
}

if (import.meta.main) Deno.exit(await runCommand(BUILD_WEB, write, { args: Deno.args }));
