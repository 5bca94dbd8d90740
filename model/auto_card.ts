/** Whether `--device auto` takes a card, known before an engine is loaded. */
import type { EngineKind, Precision } from "./engine.ts";
import { checkCuda } from "./engines/onnx_runtime.ts";
import { nvidiaDriver } from "./nvidia.ts";
import { installedAs } from "./tfjs/native.ts";

/**
 * Whether `auto` takes NVIDIA's CUDA: there is a card with its driver, and what the engine needs is
 * set up. Should it fail to load after all, the engine computes on the CPU and says why.
 */
export function autoTakesCard(
  { engine, precision }: { engine: EngineKind; precision: Precision },
): boolean {
  try {
    if (engine === "onnx") checkCuda();
    else nvidiaDriver();
  } catch { // the engine names the reason when it passes CUDA over
    return false;
  }
  return engine === "onnx" ? precision === "fp32" : installedAs("tfjs-node-gpu") !== undefined;
}
