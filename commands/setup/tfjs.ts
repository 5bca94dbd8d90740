/**
 * `deno task setup:tfjs [--gpu] [--force]`: builds the native library of TensorFlow.js into
 * `.tfjs/`.
 *
 * The official installer of tfjs-node downloads libtensorflow 2.9 and builds with node-gyp; on
 * newer systems that often fails, and its GPU build requires CUDA 11.2. This takes libtensorflow
 * from the wheel that TensorFlow publishes on PyPI (pinned by its SHA-256) and compiles the
 * package's own binding against it with g++. It installs nothing outside `.tfjs/`, and runs no
 * install script.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadNative, TFJS_VERSION } from "../../model/tfjs/backend.ts";
import { NATIVE_BINDING, NATIVE_FOLDER, NATIVE_STAMP } from "../../model/tfjs/native.ts";
import {
  buildOnce,
  checkSystem,
  installPackages,
  remove,
  run,
  step,
  StepError,
  unpackWheel,
  type Wheel,
} from "./native.ts";
import { SETUP_TFJS } from "./options.ts";
import { runCommand } from "../cli.ts";

/** One native build. */
interface Build {
  readonly folder: "cpu" | "gpu";
  readonly packageName: string;
  /** The wheel with libtensorflow. */
  readonly wheel: Wheel;
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
/** The parts of a wheel to unpack: libraries and C headers. */
const WHEEL_PARTS = [
  "tensorflow/libtensorflow_",
  ...["tensorflow/c/", "tensorflow/core/platform/", "tensorflow/tsl/", "tsl/", "xla/tsl/"].map((
    x,
  ) => `tensorflow/include/${x}`),
];

/**
 * Runs the command.
 *
 * @param args the words after `deno task setup:tfjs`
 * @returns the exit status: 0, 1 if a step failed, 2 for wrong usage or a missing tool
 */
function setupTfjs(args: string[]): Promise<number> {
  return runCommand(SETUP_TFJS, ({ gpu, force }) => setUp(gpu ? GPU : CPU, force), { args });
}

async function setUp(build: Build, force: boolean): Promise<void> {
  const { packageName, wheel } = build;
  const folder = fileURLToPath(new URL(`${build.folder}/`, NATIVE_FOLDER));
  await buildOnce({
    folder,
    force,
    stamp: {
      file: NATIVE_STAMP,
      text: JSON.stringify({ package: packageName, version: TFJS_VERSION, wheel }),
    },
    inPlace: `${packageName} ${TFJS_VERSION} is in place in .tfjs/${build.folder}`,
    system: () =>
      checkSystem(
        ["python3", "pip", "g++"],
        `use the official installer of ${packageName} (docs/tfjs.md), or --device wasm`,
      ),
    async build() {
      const packages = { [packageName]: TFJS_VERSION, "node-api-headers": NODE_API_HEADERS };
      await step(
        `1/4 ${packageName} ${TFJS_VERSION} from npm`,
        () => installPackages(packages, folder),
      );
      await step(`2/4 libtensorflow ${wheel.version} from PyPI's ${wheel.name}`, async () => {
        await remove(join(folder, "libtensorflow"));
        await unpackWheel(wheel, { folder, to: "libtensorflow", parts: WHEEL_PARTS });
      });
      await step("3/4 compiling the binding", () => compile(build, folder));
    },
    check: () => step("4/4 a first product", () => check(build)),
  });
}

async function compile({ packageName }: Build, folder: string): Promise<void> {
  const sources = join(folder, "node_modules", packageName, "binding");
  const include = join(folder, "libtensorflow/tensorflow/include");
  const backend = await Deno.readTextFile(join(sources, "tfjs_backend.cc"));
  // a single set of attribute names would be a race between Workers
  const patched = backend.replace(
    "static std::set<std::string> ATTR_NAME_SET",
    "static thread_local std::set<std::string> ATTR_NAME_SET",
  );
  if (patched === backend) {
    throw new StepError("tfjs_backend.cc is not the one of tfjs-node 4.22.0");
  }
  await Deno.writeTextFile(join(folder, "tfjs_backend.cc"), patched);
  const headers = [join(folder, "node_modules/node-api-headers/include"), include, sources].map((
    path,
  ) => `-I${path}`);
  const libraries = [
    "-Llibtensorflow/tensorflow",
    "-l:libtensorflow_cc.so.2",
    "-l:libtensorflow_framework.so.2",
  ];
  await run("g++", [
    ...["-O2", "-std=c++17", "-fPIC", "-shared", "-DNAPI_VERSION=8", ...headers],
    ...["tfjs_backend.cc", join(sources, "tfjs_binding.cc"), "-o", NATIVE_BINDING],
    ...[...libraries, "-Wl,-rpath,$ORIGIN/libtensorflow/tensorflow"],
  ], folder);
}

/** Loads the build and multiplies once. For a GPU build, says whether it found a card. */
async function check({ folder }: Build): Promise<string> {
  const { tf, device, versions } = await loadNative(
    folder === "cpu" ? "tfjs-node" : "tfjs-node-gpu",
  ).catch((error: Error) => {
    throw new StepError(`the binding was built but does not load: ${error.message}`);
  });
  const [product] = tf.tidy(() => tf.matMul(tf.ones([1, 3]), tf.fill([3, 1], 2)).dataSync());
  if (product !== 6) {
    throw new StepError(
      `the binding was built but computes wrongly: (1,1,1) · (2,2,2) gave ${product}`,
    );
  }
  const where = `libtensorflow ${versions.tensorflow} computes on the ${device.toUpperCase()}`;
  if (folder === "cpu" || device === "gpu") return where;
  return `${where}, NOT on a GPU: it found no usable NVIDIA card with driver and CUDA 12 ` +
    "libraries; see docs/gpu.md";
}

if (import.meta.main) Deno.exit(await setupTfjs(Deno.args));
