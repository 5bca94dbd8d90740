/** What `deno task doctor` finds out about the machine. */
import { z } from "zod";
import {
  ONNX_CUDA_FOLDER,
  ONNX_CUDA_STAMP,
  ONNXRUNTIME_VERSION,
} from "../../model/engines/onnx_runtime.ts";
import { TFJS_VERSION } from "../../model/tfjs/backend.ts";
import { NATIVE_FOLDER, NATIVE_STAMP } from "../../model/tfjs/native.ts";
import { ask } from "./ask.ts";

const nvidiaAnswer = z.object({ cuda: z.string(), cards: z.array(z.string()) });
const webgpuAnswer = z.object({ name: z.string(), inSoftware: z.boolean() });
const vulkanAnswer = z.array(z.object({ name: z.string(), type: z.string() }));

/** The machine and the libraries on it. */
export interface SystemReport {
  readonly system: {
    readonly os: string;
    readonly arch: string;
    readonly deno: string;
    readonly cpu: string;
    readonly cores: number;
    readonly cpu_features: readonly string[];
  };
  readonly libraries: readonly {
    readonly name: string;
    readonly found: boolean;
    readonly detail: string;
  }[];
}

/** The machine, and which native libraries are there. */
export async function systemOf(): Promise<SystemReport> {
  const { os, arch } = Deno.build;
  const { name, features } = await cpu();
  const found = async (name: string, look: () => Promise<string>) => {
    try {
      return { name, found: true, detail: await look() };
    } catch (error) {
      return { name, found: false, detail: (error as Error).message };
    }
  };
  return {
    system: {
      os,
      arch,
      deno: Deno.version.deno,
      cpu: name,
      cores: navigator.hardwareConcurrency,
      cpu_features: features,
    },
    libraries: [
      {
        name: "onnxruntime-node",
        found: true,
        detail: `${ONNXRUNTIME_VERSION}, from npm: CPU and WebGPU`,
      },
      await found(
        "onnxruntime's CUDA provider",
        () => stamped(new URL(ONNX_CUDA_STAMP, ONNX_CUDA_FOLDER), "setup:onnx-cuda"),
      ),
      await found(
        "tfjs-node",
        () => stamped(new URL(`cpu/${NATIVE_STAMP}`, NATIVE_FOLDER), "setup:tfjs"),
      ),
      await found(
        "tfjs-node-gpu",
        () => stamped(new URL(`gpu/${NATIVE_STAMP}`, NATIVE_FOLDER), "setup:tfjs --gpu"),
      ),
      { name: "tfjs-backend-webgpu", found: true, detail: `${TFJS_VERSION}, from npm` },
      { name: "tfjs-backend-wasm", found: true, detail: `${TFJS_VERSION}, from npm` },
      await found("NVIDIA driver", async () => {
        const { cuda, cards } = await ask(nvidiaAnswer, ["nvidia"]);
        return `CUDA ${cuda}: ${cards.join(", ")}`;
      }),
      await found("Vulkan", async () => {
        const devices = await ask(vulkanAnswer, ["vulkan"]);
        return devices.map(({ name, type }) => `${name} (${type === "cpu" ? "in software" : type})`)
          .join(", ");
      }),
      await found("Deno's WebGPU adapter", async () => {
        const { name, inSoftware } = await ask(webgpuAnswer, ["webgpu"]);
        return inSoftware ? `${name} (a driver in software)` : name;
      }),
    ],
  };
}

/** What a set-up wrote when it finished. */
async function stamped(url: URL, task: string): Promise<string> {
  const wheel = z.object({ name: z.string(), version: z.string() });
  const stamp = z.object({ wheel: wheel.optional(), wheels: z.array(wheel).optional() });
  let text: string;
  try {
    text = await Deno.readTextFile(url);
  } catch {
    throw new Error(`not set up (\`deno task ${task}\`)`);
  }
  const { wheel: one, wheels = [] } = stamp.parse(JSON.parse(text));
  return [...(one ? [one] : []), ...wheels].map(({ name, version }) => `${name} ${version}`).join(
    ", ",
  );
}

/** Extensions that speed up matrix products. */
const FEATURES = /^(sse4_2|avx|avx2|fma|f16c|avx_vnni|avx512\w+|amx\w*|asimd\w*|sve\w*|i8mm|bf16)$/;

/** Uses other programs, since Deno lets only `--allow-all` read /proc. */
async function cpu(): Promise<{ name: string; features: string[] }> {
  const [program, args] = Deno.build.os === "darwin"
    ? ["sysctl", [
      "machdep.cpu.brand_string",
      "machdep.cpu.features",
      "machdep.cpu.leaf7_features",
    ]] as const
    : ["cat", ["/proc/cpuinfo"]] as const;
  let text = "";
  try {
    text = new TextDecoder().decode(
      (await new Deno.Command(program, { args: [...args], stderr: "null" }).output()).stdout,
    );
  } catch {
    return { name: "unknown CPU", features: [] };
  }
  const name = /^(?:model name|machdep\.cpu\.brand_string)\s*:\s*(.+)$/m.exec(text)?.[1] ??
    "unknown CPU";
  const flags = [...text.matchAll(/^(?:flags|Features|machdep\.cpu\.\w*features)\s*:\s*(.+)$/gm)]
    .map((match) => match[1]);
  const words = new Set(flags.join(" ").toLowerCase().split(/\s+/));
  return { name, features: [...words].filter((word) => FEATURES.test(word)).sort() };
}
