/**
 * Where ONNX Runtime comes from: the npm package, which carries the CPU and WebGPU; or the copy in
 * `.onnx/cuda/` that `deno task setup:onnx-cuda` makes, with the CUDA provider beside it. A process
 * can load only one native library, so a copy, once there, serves every device.
 */
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import type * as Ort from "onnxruntime-node";
import { nvidiaDriver } from "../nvidia.ts";
import { vulkanDevices } from "../vulkan.ts";

/** The version of onnxruntime-node. Its CUDA provider must have the same version. */
export const ONNXRUNTIME_VERSION = "1.30.0";
/** The folder of `deno task setup:onnx-cuda`. */
export const ONNX_CUDA_FOLDER = new URL("../../.onnx/cuda/", import.meta.url);
/** Written last, so that the copy is known to be complete. Holds the versions it was made from. */
export const ONNX_CUDA_STAMP = ".ready";
/** NVIDIA's libraries in the order of their dependencies, in the layout of NVIDIA's wheels. */
export const CUDA_LIBRARIES = [
  "nvidia/cu13/lib/libcudart.so.13",
  "nvidia/cu13/lib/libcublasLt.so.13",
  "nvidia/cu13/lib/libcublas.so.13",
  "nvidia/cu13/lib/libcurand.so.10",
  "nvidia/cudnn/lib/libcudnn.so.9",
] as const;
/**
 * Providers in the order of `auto`. WebGPU is only taken by name, since an integrated card or a
 * software driver may be slower than the CPU.
 */
const AUTO = ["cuda", "cpu"] as const;
const WEBGPU_NOT_AUTO =
  "taken only by name (--device webgpu), since it may find a device slower than the CPU";

/** The providers that a `--device` allows, in order; and those it passes over, with the reason. */
export function providersOf(
  device: string,
): { providers: readonly string[]; passedOver: { name: string; why: string }[] } {
  if (device !== "auto") return { providers: [device], passedOver: [] };
  return { providers: AUTO, passedOver: [{ name: "webgpu", why: WEBGPU_NOT_AUTO }] };
}

/**
 * The providers that the runtime knows, without TensorRT, which compiles for minutes at every new
 * shape.
 */
export function knownProviders(ort: typeof Ort): string[] {
  return ort.listSupportedBackends().map(({ name }) => name).filter((name) => name !== "tensorrt");
}

/** Switches telemetry off, then imports ONNX Runtime. */
export async function loadOnnxRuntime(): Promise<typeof Ort> {
  Deno.env.set("ORT_DISABLE_TELEMETRY", "1");
  if (!hasCudaCopy()) return await import("onnxruntime-node");
  const entry = new URL("node_modules/onnxruntime-node/dist/index.js", ONNX_CUDA_FOLDER);
  return createRequire(import.meta.url)(fileURLToPath(entry));
}

/**
 * Runs a session, which writes its results into the tensors given.
 *
 * onnxruntime-node gives a copy of each result besides. It is freed at once, so that the next run
 * has its memory again: left to the garbage collector, each copy goes to memory that no cache
 * holds.
 */
export async function runInto(
  session: Pick<Ort.InferenceSession, "run">,
  { feeds, fetches }: {
    feeds: Readonly<Record<string, Ort.Tensor>>;
    fetches: Readonly<Record<string, Ort.Tensor>>;
  },
): Promise<void> {
  const results = await session.run(feeds, fetches);
  for (const [name, { data }] of Object.entries(results)) {
    if (!ArrayBuffer.isView(data) || !(data.buffer instanceof ArrayBuffer)) continue;
    const given = fetches[name]?.data;
    if (ArrayBuffer.isView(given) && given.buffer !== data.buffer) data.buffer.transfer(0);
  }
}

/**
 * Makes sure that a GPU provider can load, before the runtime tries and logs.
 *
 * @throws {Error} naming what is missing and what to do
 */
export function prepareProvider(provider: string): void {
  if (provider === "webgpu" && Deno.build.os === "linux") vulkanDevices();
  if (provider !== "cuda") return;
  checkCuda();
  // TF32: too few digits for 1e-4
  if (Deno.env.get("NVIDIA_TF32_OVERRIDE") === undefined) Deno.env.set("NVIDIA_TF32_OVERRIDE", "0");
  if (!hasCudaCopy()) return;
  for (const library of CUDA_LIBRARIES) {
    Deno.dlopen(fileURLToPath(new URL(`libraries/${library}`, ONNX_CUDA_FOLDER)), {});
  }
}

/**
 * Makes sure that there is a card, a driver that is new enough, and the CUDA provider. Loads none
 * of it but the driver.
 *
 * @throws {Error} naming what is missing and what to do
 */
export function checkCuda(): void {
  const { cuda } = nvidiaDriver();
  if (!hasCudaCopy()) {
    if (hasOfficialProvider()) return;
    throw new Error("its CUDA provider is not installed; `deno task setup:onnx-cuda` installs it");
  }
  if (Number.parseInt(cuda) >= 13) return;
  throw new Error(
    `the NVIDIA driver supports CUDA ${cuda}, but 13.0 is needed: update it (580 or later)`,
  );
}

/** Explains in one line why a provider failed. */
export function whyFailed(provider: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (provider === "webgpu" && /adapter/i.test(message)) {
    return `WebGPU finds no usable graphics card${seenByVulkan()}; install the card's Vulkan ` +
      "driver (see docs/gpu.md)";
  }
  const cuda = /(CUDA|CUDNN|CUBLAS) failure \d+: [^;]+/.exec(message)?.[0].trim();
  return cuda ?? message.replace(/\n[^]*/, "");
}

/** A sentence that says so when WebGPU computes in software. */
export function softwareWarning(provider: string): string | undefined {
  if (provider !== "webgpu" || Deno.build.os !== "linux") return undefined;
  const devices = vulkanDevices();
  if (devices.some(({ type }) => type !== "cpu")) return undefined;
  return `WebGPU computes on the CPU: the only Vulkan driver here is ${
    devices.map(({ name }) => name).join(", ")
  }, in software`;
}

function seenByVulkan(): string {
  if (Deno.build.os !== "linux") return "";
  const names = vulkanDevices().map(({ name }) => name);
  return names.length > 0 ? ` (Vulkan has ${names.join(", ")})` : "";
}

/** Whether the copy is complete and has this version. */
function hasCudaCopy(): boolean {
  const stamp = readIfThere(new URL(ONNX_CUDA_STAMP, ONNX_CUDA_FOLDER));
  return stamp?.includes(`"onnxruntime":"${ONNXRUNTIME_VERSION}"`) ?? false;
}

/** Whether the package's own install script has put the provider beside the runtime. */
function hasOfficialProvider(): boolean {
  const entry = createRequire(import.meta.url).resolve("onnxruntime-node");
  const folder = new URL("../bin/napi-v6/linux/x64/", pathToFileURL(entry));
  try {
    return Deno.statSync(new URL("libonnxruntime_providers_cuda.so", folder)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function readIfThere(url: URL): string | undefined {
  try {
    return Deno.readTextFileSync(url);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
