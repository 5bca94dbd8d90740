/** `deno task build:client`: the npm package of the client, with types. */
import { basename } from "node:path";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { createTar, parseTar } from "nanotar";
import { z } from "zod";
import { type Command, runCommand } from "./cli.ts";

const CLIENT = new URL("../client/", import.meta.url);

/** What npm must know beyond what `deno pack` writes. */
const MANIFEST = {
  description: "Live speech representations from a cpc-stream server: audio in, vectors out",
  keywords: ["speech", "audio", "streaming", "representation-learning", "cpc", "websocket"],
  sideEffects: ["**/worklet.js"],
  engines: { node: ">=20" },
  // only where Node has no WebSocket of its own, before version 22
  peerDependencies: { ws: "^8.0.0" },
  peerDependenciesMeta: { ws: { optional: true } },
} as const;

const configSchema = z.object({ name: z.string(), version: z.string() });

const BUILD_CLIENT: Command = {
  name: "build:client",
  about: "Packs client/ for npm, with its types.",
  usage: "",
  settings: {},
};

/**
 * Writes the package as `npm publish` takes it. The same sources give the same bytes.
 *
 * @returns where it lies
 * @throws {Error} with what the packer says
 */
export async function buildClient(): Promise<URL> {
  const config = await Deno.readTextFile(new URL("deno.json", CLIENT));
  const { name, version } = configSchema.parse(JSON.parse(config));
  // where `deno pack` writes by itself
  const path = new URL(`${name.replace("@", "").replace("/", "-")}-${version}.tgz`, CLIENT);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["pack", "--allow-dirty", "--no-source-maps"],
    cwd: CLIENT,
    env: { NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`client/ cannot be packed: ${new TextDecoder().decode(stderr)}`);
  const files = await parseTar(await promisify(gunzip)(await Deno.readFile(path)));
  const tar = createTar(
    files.map(({ name, data, text }) => {
      const isManifest = name === "package/package.json";
      return { name, data: isManifest ? withMore(text) : data };
    }),
    { attrs: { mtime: 0, mode: "644", user: "", group: "" } },
  );
  await Deno.writeFile(path, await promisify(gzip)(tar));
  return path;
}

function withMore(manifest: string): string {
  return `${JSON.stringify({ ...JSON.parse(manifest), ...MANIFEST }, null, 2)}\n`;
}

if (import.meta.main) {
  const status = await runCommand(BUILD_CLIENT, async (_settings, _operands, { print }) => {
    const path = await buildClient();
    print(`client/${basename(path.pathname)}: ${(await Deno.stat(path)).size} bytes`);
  }, { args: Deno.args });
  Deno.exit(status);
}
