/**
 * `deno task setup:onnx-cuda [--force]`: puts ONNX Runtime with its CUDA provider into
 * `.onnx/cuda/`.
 *
 * The npm package has the CPU and WebGPU runtime; the CUDA provider (270 MB) is too large for npm.
 * This takes it from the wheel of the same version that ONNX Runtime publishes on PyPI, and CUDA's
 * own libraries from NVIDIA's wheels there, each pinned by its SHA-256. It installs nothing outside
 * `.onnx/`. Only NVIDIA's driver must be there already.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { OnnxBuilder } from "../../model/engines/onnx_builder.ts";
import {
  loadOnnxRuntime,
  ONNX_CUDA_FOLDER,
  ONNX_CUDA_STAMP,
  ONNXRUNTIME_VERSION,
  prepareProvider,
  whyFailed,
} from "../../model/engines/onnx_runtime.ts";
import {
  buildOnce,
  checkSystem,
  installPackages,
  remove,
  step,
  StepError,
  unpackWheel,
  type Wheel,
} from "./native.ts";
import { SETUP_ONNX_CUDA } from "./options.ts";
import { runCommand } from "../cli.ts";

const PROVIDER: Wheel = {
  name: "onnxruntime-gpu",
  version: ONNXRUNTIME_VERSION,
  sha256: "4fbf0c5d7b5fb99266c2e8a802e3e64af68bdc383e0f3c7349b985f1087eedaa",
};
const PROVIDER_FILES = ["cuda", "shared"].map((name) =>
  `onnxruntime/capi/libonnxruntime_providers_${name}.so`
);
/** CUDA 13.0, for which the provider was built; it needs a driver of 580 or later. */
const NVIDIA: readonly Wheel[] = [
  {
    name: "nvidia-cuda-runtime",
    version: "13.0.96",
    sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
  },
  {
    name: "nvidia-cublas",
    version: "13.1.0.3",
    sha256: "ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171",
  },
  {
    name: "nvidia-curand",
    version: "10.4.0.35",
    sha256: "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
  },
  {
    name: "nvidia-cudnn-cu13",
    version: "9.15.1.9",
    sha256: "ebc9a647918df0d7298d67cfaf41579fd4c78ead9aba246f5ad9414d61b9ec4c",
  },
];

/**
 * Runs the command.
 *
 * @param args the words after `deno task setup:onnx-cuda`
 * @returns the exit status: 0, 1 if a step failed, 2 for wrong usage or a missing tool
 */
function setupOnnxCuda(args: string[]): Promise<number> {
  return runCommand(SETUP_ONNX_CUDA, ({ force }) => setUp(force), { args });
}

async function setUp(force: boolean): Promise<void> {
  const folder = fileURLToPath(ONNX_CUDA_FOLDER);
  await buildOnce({
    folder,
    force,
    stamp: {
      file: ONNX_CUDA_STAMP,
      text: JSON.stringify({ onnxruntime: ONNXRUNTIME_VERSION, wheels: [PROVIDER, ...NVIDIA] }),
    },
    inPlace: `onnxruntime-node ${ONNXRUNTIME_VERSION} with CUDA is in place in .onnx/cuda`,
    system: () =>
      checkSystem(
        ["python3", "pip"],
        "use --device webgpu, which works with any graphics driver (docs/gpu.md)",
      ),
    async build() {
      const packages = { "onnxruntime-node": ONNXRUNTIME_VERSION };
      await step(
        `1/4 onnxruntime-node ${ONNXRUNTIME_VERSION} from npm`,
        () => installPackages(packages, folder),
      );
      await step(`2/4 the CUDA provider from PyPI's ${PROVIDER.name}`, () => addProvider(folder));
      await step("3/4 CUDA's libraries from NVIDIA's wheels on PyPI", async () => {
        await remove(join(folder, "libraries"));
        for (const wheel of NVIDIA) {
          await unpackWheel(wheel, { folder, to: "libraries", parts: ["nvidia/"] });
        }
      });
    },
    check: () => step("4/4 a first product", check),
  });
}

/** Moves the provider beside the runtime, where the runtime looks for it. */
async function addProvider(folder: string): Promise<void> {
  await unpackWheel(PROVIDER, { folder, to: "provider", parts: PROVIDER_FILES });
  const beside = join(folder, "node_modules/onnxruntime-node/bin/napi-v6/linux/x64");
  for (const file of PROVIDER_FILES) {
    await Deno.rename(join(folder, "provider", file), join(beside, file.split("/").at(-1)!));
  }
  await remove(join(folder, "provider"));
}

/** Multiplies once on the card, or says why it cannot. */
async function check(): Promise<string> {
  const ort = await loadOnnxRuntime();
  const b = new OnnxBuilder();
  b.output(
    "y",
    b.node("MatMul", [b.input("x", [1, 3]), b.constant(new Float32Array([2, 2, 2]), [3, 1])]),
    [1, 1],
  );
  let product: unknown;
  try {
    prepareProvider("cuda");
    const session = await ort.InferenceSession.create(b.encode(), { executionProviders: ["cuda"] });
    const { y } = await session.run({ x: new ort.Tensor("float32", [1, 1, 1], [1, 3]) });
    await session.release();
    product = y?.data[0];
  } catch (error) {
    return `in place, but it does NOT compute on a GPU yet: ${
      whyFailed("cuda", error)
    }; see docs/gpu.md`;
  }
  if (product !== 6) {
    throw new StepError(`the provider computes wrongly: (1,1,1) · (2,2,2) gave ${product}`);
  }
  return "onnxruntime computes on the GPU";
}

if (import.meta.main) Deno.exit(await setupOnnxCuda(Deno.args));
