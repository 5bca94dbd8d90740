/** `deno task release`: everything that is published of a version, in one folder. */
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { path, text, yes } from "../config/kinds.ts";
import { twinned } from "../config/setting.ts";
import { UsageError } from "../errors.ts";
import { VERSION } from "../version.ts";
import { buildClient } from "./build_client.ts";
import { type Command, runCommand } from "./cli.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

const RELEASE = {
  name: "release",
  about:
    "Builds what is published: npm client, wheel, sdist, source, bill of materials, checksums.",
  usage: "[flags]",
  settings: twinned("CPC_RELEASE_", {
    out: path({ fallback: "dist", help: "where it goes; a folder that is new or empty" }),
    python: text({ value: "PROGRAM", fallback: "python3", help: "a Python with build" }),
    checkOnly: yes({ help: "compare versions, build nothing" }),
  }),
  notes: [
    "The source is that of the last commit; a container is built from it (docs/deploy.md).",
  ],
} satisfies Command;

/** Every place that states a version: file, and what stands there. */
export function statedVersions(read: (path: string) => string): [string, string][] {
  const found = (path: string, pattern: RegExp): [string, string][] => {
    const all = [...read(path).matchAll(pattern)];
    if (all.length === 0) throw new UsageError(`${path} states no version`);
    return all.map(([, version]) => [path, version!]);
  };
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(read("client/deno.json")));
  return [
    ["client/deno.json", version],
    ...found("python/pyproject.toml", /^version = "(.+)"$/gm),
    ...found("deploy/kubernetes/base/kustomization.yaml", /newTag: (\S+)/g),
    ...found("deploy/kubernetes/gpu/kustomization.yaml", /newTag: (\S+)-gpu/g),
    ...found("deploy/batch/kubernetes_job.yaml", /image: cpc-stream:(\S+)/g),
    ...found("docs/client.md", /cpc-stream-client-(.+)\.tgz/g),
  ];
}

/** @throws {UsageError} naming the places whose version is another one */
export function checkVersions(stated: readonly [string, string][]): void {
  const other = stated.filter(([, version]) => version !== VERSION);
  if (other.length === 0) return;
  const places = other.map(([path, version]) => `${path} (${version})`).join(", ");
  throw new UsageError(`version.ts states ${VERSION}, and another version is in ${places}`);
}

async function run(program: string, args: readonly string[]): Promise<Uint8Array<ArrayBuffer>> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd: ROOT,
  })
    .output();
  if (success) return stdout;
  const said = new TextDecoder().decode(stderr).trim();
  throw new Error(`${program} ${args.join(" ")} failed: ${said}`);
}

/** Builds all into a folder. */
async function build(out: string, python: string): Promise<void> {
  const client = await buildClient();
  await Deno.rename(client, join(out, basename(client.pathname)));
  await run(python, ["-m", "build", "--outdir", out, "python"]);
  const prefix = `cpc-stream-${VERSION}`;
  const source = join(out, `${prefix}-source.tar.gz`);
  await run("git", [
    "archive",
    "--format=tar.gz",
    `--prefix=${prefix}/`,
    `--output=${source}`,
    "HEAD",
  ]);
  const bill = await run(Deno.execPath(), ["task", "--quiet", "sbom"]);
  await Deno.writeFile(join(out, `${prefix}.cdx.json`), bill);
}

/** Writes `SHA256SUMS`, as `sha256sum --check` reads it. @returns its lines */
export async function writeChecksums(folder: string): Promise<string[]> {
  const names = Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
  const lines = await Promise.all(names.map(async (name) => {
    const hash = createHash("sha256").update(await Deno.readFile(join(folder, name)));
    return `${hash.digest("hex")}  ${name}`;
  }));
  await Deno.writeTextFile(join(folder, "SHA256SUMS"), lines.map((line) => `${line}\n`).join(""));
  return lines;
}

if (import.meta.main) {
  const status = await runCommand(RELEASE, async ({ out, python, checkOnly }, _, { print }) => {
    checkVersions(statedVersions((path) => Deno.readTextFileSync(join(ROOT, path))));
    if (checkOnly) return print(`every place states ${VERSION}`);
    const changed = await run("git", ["status", "--porcelain"]);
    if (changed.length > 0) throw new UsageError("files are changed: commit them first");
    await Deno.mkdir(out, { recursive: true });
    const { done: isEmpty } = await Deno.readDir(out)[Symbol.asyncIterator]().next();
    if (!isEmpty) throw new UsageError(`${out} is not empty: give another folder with --out`);
    await build(await Deno.realPath(out), python);
    for (const line of await writeChecksums(out)) print(line);
  }, { args: Deno.args });
  Deno.exit(status);
}
