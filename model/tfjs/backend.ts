/**
 * Chooses the TensorFlow.js backend: `@tensorflow/tfjs-node-gpu`, `@tensorflow/tfjs-node` or
 * WebAssembly, the first that works; or WebGPU, by name, or to train on a card.
 *
 * The native packages are optional. This looks for them where `deno task setup:tfjs` built them
 * (`.tfjs/`), then in the project's node_modules, where the official installer puts them. It never
 * downloads them. A process can load only one native library.
 */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { CpcError, firstLine } from "../../errors.ts";
import type * as core from "@tensorflow/tfjs-core";
import type { Backend } from "../engine.ts";
import { nvidiaDriver } from "../nvidia.ts";
import type { Tf } from "./layers.ts";
import { installedAs, NATIVE_BINDING, type NativePackage } from "./native.ts";
import { provideBinding, restoreNodeUtil } from "./shim.ts";
import { repairWebgpu } from "./webgpu_backend.ts";
import { type WebgpuAdapter, webgpuAdapter } from "./webgpu_adapter.ts";

/** The version of every TensorFlow.js package used. */
export const TFJS_VERSION = "4.22.0";
/** The backends, in the order of `auto`. */
const BACKENDS = ["tfjs-node-gpu", "webgpu", "tfjs-node", "wasm"] as const;
/** One of {@linkcode BACKENDS}. */
export type TfjsBackend = typeof BACKENDS[number];
/**
 * Values of `--device`: `gpu` and `cuda` insist on NVIDIA's CUDA; `webgpu` takes a driver in
 * software too; `cpu` and `wasm` do not touch a card.
 */
export const TFJS_DEVICES = ["auto", "gpu", "cuda", "webgpu", "cpu", "wasm"] as const;

const FELL_BACK = "it found no usable NVIDIA card with driver and CUDA libraries";

/** A computed specifier, since serving does not need its package. */
const GRADIENTS = new URL("./gradients.ts", import.meta.url).href;

/** A backend that is ready. */
export interface TfjsRuntime {
  readonly tf: Tf;
  readonly backend: TfjsBackend;
  readonly device: "gpu" | "cpu";
  readonly versions: { readonly tfjs: string; readonly tensorflow?: string };
  /** Of WebGPU: the card, or the driver in software. */
  readonly adapter?: WebgpuAdapter;
}

/**
 * A backend, with those passed over before it and why, and a warning for a GPU build that computes
 * on the CPU.
 */
export interface LoadedTfjs extends TfjsRuntime {
  readonly tried: readonly { readonly name: TfjsBackend; readonly why: string }[];
}

/** How the parts are loaded; tests substitute their own. */
export interface TfjsLoaders {
  readonly native: typeof loadNative;
  readonly wasm: typeof loadWasm;
  readonly webgpu: typeof loadWebgpu;
  /** Throws when there is no NVIDIA card. */
  readonly card: () => unknown;
  /** Throws when WebGPU has no adapter. */
  readonly adapter: () => Promise<WebgpuAdapter>;
}

/** What tfjs-node adds to a kernel backend. */
interface NativeBackend extends core.KernelBackend {
  readonly isUsingGpuDevice?: boolean;
  readonly binding?: { readonly TF_Version?: string };
}

/**
 * Loads TensorFlow.js for a device.
 *
 * @param options `device`: one of {@linkcode TFJS_DEVICES}; `threads`: how many one op may use
 *   (libtensorflow's default: all cores); `gradients`: whether gradients are needed (the native
 *   packages always have them); `awaits`: whether the caller awaits all that it reads: WebGPU
 *   trains nobody else, and `auto` then takes a card on WebGPU
 * @throws {CpcError} `invalid_option` when no backend that the device allows works, with every
 *   reason
 */
export async function loadTfjs(
  { device = "auto", threads, gradients = false, awaits = false }: {
    device?: string;
    threads?: number;
    gradients?: boolean;
    awaits?: boolean;
  } = {},
  loaders: TfjsLoaders = {
    native: loadNative,
    wasm: loadWasm,
    webgpu: loadWebgpu,
    card: nvidiaDriver,
    adapter: webgpuAdapter,
  },
): Promise<LoadedTfjs> {
  if (gradients && !awaits && device === "webgpu") {
    throw new CpcError(
      "invalid_option",
      "--device webgpu: this training reads its figures in the middle of a step, which WebGPU " +
        "cannot: use auto, gpu, cpu or wasm",
    );
  }
  const tried: { name: TfjsBackend; why: string }[] = [];
  for (const name of candidates(device, { trains: gradients && awaits })) {
    try {
      // a GPU build without a card computes on the CPU and blocks tfjs-node, so ask the driver
      // first
      if (name === "tfjs-node-gpu") loaders.card();
      if (name === "webgpu" && device === "auto") refuseSoftware(await loaders.adapter());
      const runtime = name === "wasm"
        ? await loaders.wasm(gradients)
        : name === "webgpu"
        ? await loaders.webgpu(gradients)
        : await loaders.native(name, { threads });
      if (name === "tfjs-node-gpu" && runtime.device === "cpu") {
        tried.push({ name, why: `${FELL_BACK} (see docs/gpu.md)` });
        if (device !== "auto") break;
      }
      return { ...runtime, tried };
    } catch (error) {
      tried.push({ name, why: firstLine(error) });
    }
  }
  const reasons = tried.map(({ name, why }) => `${name}: ${why}`).join("; ");
  throw new CpcError(
    "invalid_option",
    `TensorFlow.js has no backend for --device ${device}: ${reasons}`,
  );
}

/** Describes what {@linkcode loadTfjs} found. */
export function describeTfjs(
  { backend, device, versions, adapter, tried }: Omit<LoadedTfjs, "tf">,
): Backend {
  const package_ = backend === "webgpu" ? "tfjs-backend-webgpu" : backend;
  const on = versions.tensorflow === undefined
    ? adapter?.name
    : `libtensorflow ${versions.tensorflow}`;
  return {
    library: `${package_} ${versions.tfjs}${on === undefined ? "" : ` (${on})`}`,
    notTaken: tried.filter(({ name }) => name !== backend),
    warning: device === "gpu"
      ? undefined
      : adapter
      ? `WebGPU computes on the CPU: its adapter is ${adapter.name}, a driver in software`
      : backend === "tfjs-node-gpu"
      ? `tfjs-node-gpu computes on the CPU: ${FELL_BACK}`
      : undefined,
  };
}

/** @throws {Error} for a driver in software: the CPU itself is faster */
function refuseSoftware({ name, inSoftware }: WebgpuAdapter): void {
  if (inSoftware) {
    throw new Error(`its adapter is ${name}, a driver in software; --device webgpu takes it`);
  }
}

/** `auto` takes WebGPU to train, but not to serve: no card was measured yet. */
function candidates(device: string, { trains }: { trains: boolean }): readonly TfjsBackend[] {
  switch (device) {
    case "auto":
      return trains ? BACKENDS : BACKENDS.filter((name) => name !== "webgpu");
    case "webgpu":
      return ["webgpu"];
    case "gpu":
    case "cuda":
      return ["tfjs-node-gpu"];
    case "cpu":
      return ["tfjs-node", "wasm"];
    case "wasm":
      return ["wasm"];
    default:
      throw new CpcError(
        "invalid_option",
        `--device ${device}: TensorFlow.js has ${TFJS_DEVICES.join(", ")}`,
      );
  }
}

async function loadWasm(gradients: boolean): Promise<TfjsRuntime> {
  const tf = await import("@tensorflow/tfjs-core");
  if (gradients) await import(GRADIENTS);
  const { setThreadsCount } = await import("@tensorflow/tfjs-backend-wasm");
  setThreadsCount(1); // its thread pool needs a browser
  if (!await tf.setBackend("wasm")) throw new Error("WebAssembly with SIMD did not start");
  return { tf, backend: "wasm", device: "cpu", versions: { tfjs: TFJS_VERSION } };
}

/**
 * Loads the backend on WebGPU.
 *
 * @throws {Error} when there is no adapter
 */
async function loadWebgpu(gradients: boolean): Promise<TfjsRuntime> {
  const adapter = await webgpuAdapter();
  const tf = await import("@tensorflow/tfjs-core");
  if (gradients) await import(GRADIENTS);
  const isNew = tf.findBackendFactory("webgpu") === null;
  await import("@tensorflow/tfjs-backend-webgpu");
  if (!await tf.setBackend("webgpu")) throw new Error(`WebGPU did not start on ${adapter.name}`);
  if (isNew) repairWebgpu(tf);
  return {
    tf,
    backend: "webgpu",
    device: adapter.inSoftware ? "cpu" : "gpu",
    adapter,
    versions: { tfjs: TFJS_VERSION },
  };
}

/**
 * Loads one native package.
 *
 * @throws {Error} when it is not installed or does not load
 */
export async function loadNative(
  backend: NativePackage,
  { threads }: { threads?: number } = {},
): Promise<TfjsRuntime> {
  const packageName = `@tensorflow/${backend}`;
  const installed = installedAs(backend);
  if (!installed) {
    throw new Error(
      `not installed; \`deno task setup:tfjs${
        backend === "tfjs-node" ? "" : " --gpu"
      }\` installs it`,
    );
  }
  setNativeEnvironment(threads);
  restoreNodeUtil();
  const tf = installed.folder
    ? requireBuilt(packageName, installed.folder)
    : await importOfficial(packageName);
  await tf.ready();
  if (tf.getBackend() !== "tensorflow") {
    throw new Error(`${packageName} started with the backend ${tf.getBackend()}`);
  }
  const native = tf.backend() as NativeBackend;
  return {
    tf,
    backend,
    device: backend === "tfjs-node-gpu" && native.isUsingGpuDevice === true ? "gpu" : "cpu",
    versions: { tfjs: TFJS_VERSION, tensorflow: native.binding?.TF_Version },
  };
}

function requireBuilt(packageName: string, folder: URL): Tf {
  const require = createRequire(new URL("package.json", folder));
  provideBinding(require, { packageName, binding: fileURLToPath(new URL(NATIVE_BINDING, folder)) });
  return require(packageName);
}

/** The specifier is computed, so that Deno does not fetch a package that is never used. */
async function importOfficial(packageName: string): Promise<Tf> {
  return (await import(`npm:${packageName}@${TFJS_VERSION}`)).default;
}

/** Variables that libtensorflow reads when it loads. A variable that is set already stays. */
function setNativeEnvironment(threads?: number): void {
  const defaults: Record<string, string> = {
    TF_CPP_MIN_LOG_LEVEL: "2", // only errors: its notices would mix with our log
    TF_ENABLE_ONEDNN_OPTS: "1", // twice as fast on a CPU
    TF_FORCE_GPU_ALLOW_GROWTH: "true", // otherwise one process takes all of a card's memory
    NVIDIA_TF32_OVERRIDE: "0", // TF32 keeps 10 bits: too few for 1e-4
  };
  if (threads !== undefined) defaults.TF_NUM_INTRAOP_THREADS = String(threads);
  for (const [name, value] of Object.entries(defaults)) {
    if (Deno.env.get(name) === undefined) Deno.env.set(name, value);
  }
}
