/**
 * `deno task setup:tfjs [--gpu] [--force]`: builds the native library of TensorFlow.js into `.tfjs/`.
 *
 * The official installer of tfjs-node downloads libtensorflow 2.9 and builds with node-gyp; on newer systems that often fails, and its
 * GPU build wants CUDA 11.2. This takes libtensorflow from the wheel that TensorFlow publishes on PyPI (pinned by its SHA-256) and
 * compiles the package's own binding against it with g++. Nothing is installed outside `.tfjs/`, and no install script is run.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { UsageError } from "../errors.ts";
import { loadNative, NATIVE_BINDING, NATIVE_FOLDER, NATIVE_STAMP, TFJS_VERSION } from "../model/tfjs/backend.ts";

/** One native build. */
interface Build {
  readonly folder: "cpu" | "gpu";
  readonly packageName: string;
  /** The wheel that libtensorflow is taken from, for CPython 3.11 on manylinux x86_64; only its libraries and headers are used. */
  readonly wheel: { readonly name: string; readonly version: string; readonly sha256: string };
}

const CPU: Build = {
  folder: "cpu",
  packageName: "@tensorflow/tfjs-node",
  wheel: {
    name: "tensorflow-cpu",
    version: "2.15.1",
    sha256: "54660c074d7241a503e81edfd9f5ef5af88f64051b72e2945f26318c790f2d26",
  },
};

const GPU: Build = {
  folder: "gpu",
  packageName: "@tensorflow/tfjs-node-gpu",
  wheel: {
    name: "tensorflow",
    version: "2.20.0",
    sha256: "481499fd0f824583de8945be61d5e827898cdaa4f5ea1bc2cc28ca2ccff8229e",
  },
};

const NODE_API_HEADERS = "1.5.0";
/** The parts of a wheel that are unpacked: libraries and C headers. */
const WHEEL_PARTS = [
  "tensorflow/libtensorflow_",
  ...["tensorflow/c/", "tensorflow/core/platform/", "tensorflow/tsl/", "tsl/", "xla/tsl/"].map((x) => `tensorflow/include/${x}`),
];
const UNPACK = "import sys,zipfile;z=zipfile.ZipFile(sys.argv[1]);" +
  "[z.extract(n,sys.argv[2]) for n in z.namelist() if n.startswith(tuple(sys.argv[3:]))]";

const HELP = `Builds TensorFlow.js with its native library into .tfjs/, for --engine tfjs and for training.

usage: deno task setup:tfjs [--gpu] [--force]

  --gpu     @tensorflow/tfjs-node-gpu with libtensorflow ${GPU.wheel.version}, for NVIDIA cards (driver and CUDA 12 needed)
  --force   build again although it is in place

Needs Linux on x86_64, python3 with pip, and g++. Downloads about 250 MB and takes 900 MB of disk (--gpu: 650 MB and 2.3 GB).
Where the official installer works, it serves as well. See docs/tfjs.md.
`;

/**
 * Runs the command.
 *
 * @param args what follows `deno task setup:tfjs`
 * @returns the exit status: 0, 1 when a step failed, 2 for wrong usage or a missing tool
 */
export async function setupTfjs(args: string[]): Promise<number> {
  try {
    const options = readOptions(args);
    if (options.help) console.log(HELP);
    else await setUp(options.gpu ? GPU : CPU, options);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof StepError)) throw error;
    console.error(`setup:tfjs: ${error.message}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

/** A step that failed for a reason outside this program. */
class StepError extends Error {}

function readOptions(args: string[]): { gpu: boolean; force: boolean; help: boolean } {
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({ args, options: { gpu: flag, force: flag, help: { ...flag, short: "h" } } }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(`${error.message.split(/\.\s/)[0]}; --help tells more`);
  }
}

async function setUp(build: Build, { force }: { force: boolean }): Promise<void> {
  const folder = fileURLToPath(new URL(`${build.folder}/`, NATIVE_FOLDER));
  const ready = join(folder, NATIVE_STAMP);
  const stamp = JSON.stringify({ package: build.packageName, version: TFJS_VERSION, wheel: build.wheel });
  if (!force && await readText(ready) === stamp) {
    console.log(`${build.packageName} ${TFJS_VERSION} is in place in .tfjs/${build.folder}; --force builds it again`);
    return;
  }
  await checkSystem(build);
  await Deno.mkdir(folder, { recursive: true });
  await remove(ready);
  await step(`1/4 ${build.packageName} ${TFJS_VERSION} from npm`, () => installPackages(build, folder));
  await step(`2/4 libtensorflow ${build.wheel.version} from PyPI's ${build.wheel.name}`, () => unpackWheel(build, folder));
  await step("3/4 compiling the binding", () => compile(build, folder));
  await Deno.writeTextFile(ready, stamp);
  try {
    await step("4/4 a first product", () => check(build));
  } catch (error) {
    await remove(ready);
    throw error;
  }
}

async function step(name: string, work: () => Promise<string | void>): Promise<void> {
  const startMs = performance.now();
  const result = await work();
  console.log(`${name}: ${result ?? "done"} (${((performance.now() - startMs) / 1000).toFixed(1)} s)`);
}

/** @throws {UsageError} naming what to install */
async function checkSystem({ packageName }: Build): Promise<void> {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") {
    throw new UsageError(
      `this build is for Linux on x86_64, here is ${Deno.build.os} on ${Deno.build.arch}: use the official installer of ` +
        `${packageName} (docs/tfjs.md), or --device wasm`,
    );
  }
  const tools: [string, string[], string][] = [
    ["python3", ["--version"], "install python3 (Debian and Ubuntu: apt install python3 python3-pip)"],
    ["python3", ["-m", "pip", "--version"], "python3 has no pip (Debian and Ubuntu: apt install python3-pip)"],
    ["g++", ["--version"], "install g++ (Debian and Ubuntu: apt install g++)"],
  ];
  for (const [command, args, advice] of tools) {
    const works = await runs(command, args);
    if (!works) throw new UsageError(`cannot run ${[command, ...args.slice(0, -1)].join(" ")}: ${advice}`);
  }
}

async function runs(command: string, args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function installPackages({ packageName }: Build, folder: string): Promise<void> {
  const dependencies = { [packageName]: TFJS_VERSION, "node-api-headers": NODE_API_HEADERS };
  await Deno.writeTextFile(join(folder, "package.json"), JSON.stringify({ private: true, dependencies }, null, 2));
  await run(Deno.execPath(), ["install", "--quiet"], folder); // Deno runs no install script unless told to
}

async function unpackWheel({ wheel }: Build, folder: string): Promise<void> {
  const download = join(folder, "wheel");
  const requirements = join(folder, "requirements.txt");
  await Deno.writeTextFile(requirements, `${wheel.name}==${wheel.version} --hash=sha256:${wheel.sha256}\n`);
  await remove(download);
  const tags = ["manylinux_2_17_x86_64", "manylinux2014_x86_64"].flatMap((tag) => ["--platform", tag]);
  const python = ["--python-version", "3.11", "--implementation", "cp", ...tags]; // the wheel's, whatever python3 is here
  const options = ["--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes", ...python];
  await run("python3", ["-m", "pip", "download", ...options, "--dest", download, "--requirement", requirements], folder);
  const [file] = await Array.fromAsync(Deno.readDir(download), (entry) => entry.name);
  await remove(join(folder, "libtensorflow"));
  await run("python3", ["-c", UNPACK, join(download, file), join(folder, "libtensorflow"), ...WHEEL_PARTS], folder);
  await remove(download);
}

async function compile({ packageName }: Build, folder: string): Promise<void> {
  const sources = join(folder, "node_modules", packageName, "binding");
  const include = join(folder, "libtensorflow/tensorflow/include");
  const backend = await Deno.readTextFile(join(sources, "tfjs_backend.cc"));
  // one set of attribute names for all threads is a race between Workers
  const patched = backend.replace(
    "static std::set<std::string> ATTR_NAME_SET",
    "static thread_local std::set<std::string> ATTR_NAME_SET",
  );
  if (patched === backend) throw new StepError("tfjs_backend.cc is not the one of tfjs-node 4.22.0");
  await Deno.writeTextFile(join(folder, "tfjs_backend.cc"), patched);
  const headers = [join(folder, "node_modules/node-api-headers/include"), include, sources].map((path) => `-I${path}`);
  const libraries = ["-Llibtensorflow/tensorflow", "-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"];
  await run("g++", [
    ...["-O2", "-std=c++17", "-fPIC", "-shared", "-DNAPI_VERSION=8", ...headers],
    ...["tfjs_backend.cc", join(sources, "tfjs_binding.cc"), "-o", NATIVE_BINDING],
    ...[...libraries, "-Wl,-rpath,$ORIGIN/libtensorflow/tensorflow"],
  ], folder);
}

/** Loads what was built and multiplies once. Of a GPU build, says whether it found a card. */
async function check({ folder }: Build): Promise<string> {
  const { tf, device, versions } = await loadNative(folder === "cpu" ? "tfjs-node" : "tfjs-node-gpu").catch((error: Error) => {
    throw new StepError(`the binding was built but does not load: ${error.message}`);
  });
  const [product] = tf.tidy(() => tf.matMul(tf.ones([1, 3]), tf.fill([3, 1], 2)).dataSync());
  if (product !== 6) throw new StepError(`the binding was built but computes wrongly: (1,1,1) · (2,2,2) gave ${product}`);
  const where = `libtensorflow ${versions.tensorflow} computes on the ${device.toUpperCase()}`;
  if (folder === "cpu" || device === "gpu") return where;
  return `${where}, NOT on a GPU: it found no NVIDIA card with driver and CUDA 12 libraries that it can use; see docs/gpu.md`;
}

/** @throws {StepError} with the last line that the program wrote */
async function run(command: string, args: string[], cwd: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args, cwd, stdout: "null", stderr: "piped" }).output();
  if (success) return;
  const lines = new TextDecoder().decode(stderr).split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const telling = lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? "no message";
  throw new StepError(`${[command, ...args.slice(0, 3)].join(" ")} … failed: ${telling}`);
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function remove(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

if (import.meta.main) Deno.exit(await setupTfjs(Deno.args));
