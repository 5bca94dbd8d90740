/**
 * Shared by the set-up commands of native libraries: packages from npm, wheels from PyPI by their
 * SHA-256, steps with their times.
 */
import { join } from "node:path";
import { UsageError } from "../../errors.ts";

/** A wheel for CPython 3.11 on Linux x86_64; we use only its libraries and headers. */
export interface Wheel {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
}

/** A step that failed for a reason outside this program. */
export class StepError extends Error {}

const PLATFORMS = [
  "manylinux_2_28_x86_64",
  "manylinux_2_27_x86_64",
  "manylinux_2_17_x86_64",
  "manylinux2014_x86_64",
];
const UNPACK = "import sys,zipfile;z=zipfile.ZipFile(sys.argv[1]);" +
  "[z.extract(n,sys.argv[2]) for n in z.namelist() if n.startswith(tuple(sys.argv[3:]))]";

/** Tools that a set-up may need: how to check for them, and how to install them. */
const TOOLS = {
  python3: [
    ["python3", "--version"],
    "install python3 (Debian and Ubuntu: apt install python3 python3-pip)",
  ],
  pip: [
    ["python3", "-m", "pip", "--version"],
    "python3 has no pip (Debian and Ubuntu: apt install python3-pip)",
  ],
  "g++": [["g++", "--version"], "install g++ (Debian and Ubuntu: apt install g++)"],
} as const;

/**
 * @throws {UsageError} naming what is missing and what to do; `instead`: advice for other systems
 */
export async function checkSystem(
  tools: readonly (keyof typeof TOOLS)[],
  instead: string,
): Promise<void> {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") {
    throw new UsageError(
      `this build is for Linux on x86_64, not ${Deno.build.os} on ${Deno.build.arch}: ${instead}`,
    );
  }
  for (const tool of tools) {
    const [[command, ...args], advice] = TOOLS[tool];
    if (!await runs(command, args)) {
      throw new UsageError(`cannot run ${[command, ...args.slice(0, -1)].join(" ")}: ${advice}`);
    }
  }
}

/** Runs one step, and prints its name, its result and its time. */
export async function step(name: string, work: () => Promise<string | void>): Promise<void> {
  const startMs = performance.now();
  const result = await work();
  console.log(
    `${name}: ${result ?? "done"} (${((performance.now() - startMs) / 1000).toFixed(1)} s)`,
  );
}

/** Puts npm packages into `folder/node_modules`. Deno runs no install script unless told to. */
export async function installPackages(
  dependencies: Record<string, string>,
  folder: string,
): Promise<void> {
  await Deno.writeTextFile(
    join(folder, "package.json"),
    JSON.stringify({ private: true, dependencies }, null, 2),
  );
  await run(Deno.execPath(), ["install", "--quiet"], folder);
}

/**
 * Fetches a wheel with pip, which checks its SHA-256, and unpacks parts of it.
 *
 * @param options `folder` to work in; `to`: folder in it for the parts; `parts`: prefixes of their
 *   names
 * @throws {StepError} if it cannot be fetched or is not the expected one
 */
export async function unpackWheel(
  { name, version, sha256 }: Wheel,
  { folder, to, parts }: { folder: string; to: string; parts: readonly string[] },
): Promise<void> {
  const download = join(folder, "wheel");
  const requirements = join(folder, "requirements.txt");
  await Deno.writeTextFile(requirements, `${name}==${version} --hash=sha256:${sha256}\n`);
  await remove(download);
  const python = [
    "--python-version",
    "3.11",
    "--implementation",
    "cp",
    ...PLATFORMS.flatMap((tag) => ["--platform", tag]),
  ];
  // works with any python3
  const options = ["--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes", ...python];
  await run("python3", [
    "-m",
    "pip",
    "download",
    ...options,
    "--dest",
    download,
    "--requirement",
    requirements,
  ], folder);
  const [file] = await Array.fromAsync(Deno.readDir(download), (entry) => entry.name);
  if (file === undefined) throw new StepError(`pip downloaded no wheel of ${name}`);
  await run("python3", ["-c", UNPACK, join(download, file), join(folder, to), ...parts], folder);
  await remove(download);
}

/** @throws {StepError} with the most telling line of the program's output */
export async function run(command: string, args: string[], cwd: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, {
    args,
    cwd,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) return;
  const lines = new TextDecoder().decode(stderr).split("\n").map((line) => line.trim()).filter((
    line,
  ) => line !== "");
  const telling = lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? "no message";
  throw new StepError(`${[command, ...args.slice(0, 3)].join(" ")} … failed: ${telling}`);
}

/** Removes a file or folder, if it exists. */
export async function remove(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Builds into a folder, unless it holds a complete build of the same kind. The stamp is written
 * once `build` is done, so an interrupted run starts over. It is removed if the `check` that
 * follows fails.
 *
 * @param options `stamp`: the file and its expected content; `inPlace`: printed when there is
 *   nothing to do; `system`: throws, before anything is touched, if a tool is missing
 */
export async function buildOnce(
  { folder, stamp, force, inPlace, system, build, check }: {
    folder: string;
    stamp: { file: string; text: string };
    force: boolean;
    inPlace: string;
    system: () => Promise<void>;
    build: () => Promise<void>;
    check: () => Promise<void>;
  },
): Promise<void> {
  const ready = join(folder, stamp.file);
  if (!force && await readText(ready) === stamp.text) {
    console.log(`${inPlace}; use --force to build it again`);
    return;
  }
  await system();
  await Deno.mkdir(folder, { recursive: true });
  await remove(ready);
  await build();
  await Deno.writeTextFile(ready, stamp.text);
  try {
    await check();
  } catch (error) {
    await remove(ready);
    throw error;
  }
}

async function runs(command: string, args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output())
      .success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
