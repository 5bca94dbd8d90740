/** What `deno task doctor` finds out, each part in a process that may crash. */
import { resolve } from "node:path";
import { z } from "zod";
import { UsageError } from "../../errors.ts";
import type { EngineKind } from "../../model/engine.ts";
import {
  ONNX_CUDA_FOLDER,
  ONNX_CUDA_STAMP,
  ONNXRUNTIME_VERSION,
} from "../../model/engines/onnx_runtime.ts";
import { NATIVE_FOLDER, NATIVE_STAMP, TFJS_VERSION } from "../../model/tfjs/backend.ts";
import { isolated } from "../isolated.ts";

const PROBE = new URL("./probe.ts", import.meta.url);
/**
 * How long one question may take: loading CUDA the first time takes tens of seconds, the check on a
 * driver in software minutes.
 */
const ASK_MS = 120_000;
const CHECK_MS = 1_800_000;

/** An engine on a device, and what to do when it does not work. */
export interface Candidate {
  readonly engine: EngineKind;
  readonly device: string;
  readonly todo: string;
}

/** All of them, the default first. */
export const CANDIDATES: readonly Candidate[] = [
  {
    engine: "onnx",
    device: "cpu",
    todo:
      "the default engine should work everywhere: run `deno task start --help`, then report this",
  },
  {
    engine: "onnx",
    device: "webgpu",
    todo:
      "with a graphics card of any vendor, install its Vulkan driver (Debian: apt install libvulkan1 mesa-vulkan-drivers)",
  },
  {
    engine: "onnx",
    device: "cuda",
    todo:
      "with an NVIDIA card, install its driver (580 or later), then run `deno task setup:onnx-cuda`",
  },
  {
    engine: "tfjs",
    device: "gpu",
    todo:
      "with an NVIDIA card, install its driver and CUDA 12 with cuDNN 9, then run `deno task setup:tfjs --gpu`",
  },
  { engine: "tfjs", device: "cpu", todo: "run `deno task setup:tfjs`" },
  { engine: "tfjs", device: "wasm", todo: "a CPU with SIMD is needed" },
];

const speedAnswer = z.object({
  library: z.string(),
  warning: z.string().optional(),
  audio_seconds_per_second: z.number(),
  int8: z.discriminatedUnion("works", [
    z.object({ works: z.literal(true), audio_seconds_per_second: z.number() }),
    z.object({ works: z.literal(false), why: z.string() }),
  ]).optional(),
});
const fixture = z.object({
  name: z.string(),
  frames: z.number(),
  latent: z.number().nullable(), // null: not a number
  context: z.number().nullable(),
  prediction: z.number().nullable().optional(),
});
const checkAnswer = z.object({
  library: z.string(),
  warning: z.string().optional(),
  tolerance: z.number(),
  largest: z.number().nullable(),
  passed: z.boolean(),
  fixtures: z.array(fixture),
});
const nvidiaAnswer = z.object({ cuda: z.string(), cards: z.array(z.string()) });
const vulkanAnswer = z.array(z.object({ name: z.string(), type: z.string() }));

type Asked = Pick<Candidate, "engine" | "device">;
interface Failure {
  readonly works: false;
  readonly why: string;
  readonly todo: string;
}
/** What the speed reading of an engine gave. */
export type EngineReport =
  & Asked
  & (({ readonly works: true } & z.infer<typeof speedAnswer>) | Failure);
/** What holding an engine against the fixtures gave. */
export type CheckReport =
  & Asked
  & (({ readonly works: true } & z.infer<typeof checkAnswer>) | (Failure & { passed: false }));

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

const reply = z.union([
  z.object({ answer: z.unknown() }),
  z.object({ failed: z.string() }),
  z.object({ badWeights: z.string() }),
]);

/**
 * Asks one question in a process of its own.
 *
 * @throws {Error} saying why there is no answer
 * @throws {UsageError} for a weights folder that does not load
 */
async function ask<T>(schema: z.ZodType<T>, args: string[], boundMs = ASK_MS): Promise<T> {
  const said = reply.parse(await isolated(PROBE, args, { boundMs }));
  if ("badWeights" in said) throw new UsageError(said.badWeights);
  if ("failed" in said) throw new Error(said.failed);
  return schema.parse(said.answer);
}

/**
 * A second's speed of an engine, or why it has none. @throws {UsageError} for a weights folder that
 * does not load
 */
export async function speedOf(
  { engine, device, todo }: Candidate,
  model: string,
): Promise<EngineReport> {
  try {
    return {
      engine,
      device,
      works: true,
      ...await ask(speedAnswer, ["speed", engine, device, resolve(model)]),
    };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    return { engine, device, works: false, why: (error as Error).message, todo };
  }
}

/** An engine against PyTorch on all fixtures. */
export async function checkOf({ engine, device, todo }: Candidate): Promise<CheckReport> {
  try {
    return {
      engine,
      device,
      works: true,
      ...await ask(checkAnswer, ["check", engine, device], CHECK_MS),
    };
  } catch (error) {
    return { engine, device, works: false, passed: false, why: (error as Error).message, todo };
  }
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
    ],
  };
}

/** What a set-up wrote when it was done. */
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

/** Extensions that matrix products profit from. */
const FEATURES = /^(sse4_2|avx|avx2|fma|f16c|avx_vnni|avx512\w+|amx\w*|asimd\w*|sve\w*|i8mm|bf16)$/;

/** By other programs: Deno lets only `--allow-all` read /proc. */
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
