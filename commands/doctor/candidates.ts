/**
 * The engines and devices that `deno task doctor` tries, and what to do about those that do not
 * work.
 */
import type { EngineKind } from "../../model/engine.ts";

/** An engine on a device, and what to do if it does not work. */
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
    todo: "with a graphics card of any vendor, install its Vulkan driver " +
      "(Debian: apt install libvulkan1 mesa-vulkan-drivers)",
  },
  {
    engine: "onnx",
    device: "cuda",
    todo: "with an NVIDIA card, install its driver (580 or later), then run " +
      "`deno task setup:onnx-cuda`",
  },
  {
    engine: "tfjs",
    device: "gpu",
    todo: "with an NVIDIA card, install its driver and CUDA 12 with cuDNN 9, then run " +
      "`deno task setup:tfjs --gpu`",
  },
  {
    engine: "tfjs",
    device: "webgpu",
    todo: "with a graphics card of any vendor, install its driver (on Linux its Vulkan driver)",
  },
  { engine: "tfjs", device: "cpu", todo: "run `deno task setup:tfjs`" },
  { engine: "tfjs", device: "wasm", todo: "use a CPU with SIMD" },
];
