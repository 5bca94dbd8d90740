import { loadOnnxRuntime } from "../../../model/engines/onnx_runtime.ts";
import { engineConformance } from "./conformance.ts";

/** WebGPU needs a graphics driver; SwiftShader, which Chromium brings, is one in software. */
async function hasWebGpu(): Promise<boolean> {
  const ort = await loadOnnxRuntime();
  const driver = Deno.env.get("VK_DRIVER_FILES") ?? Deno.env.get("VK_ICD_FILENAMES");
  return driver !== undefined && ort.listSupportedBackends().some(({ name }) => name === "webgpu");
}

if (await hasWebGpu()) engineConformance({ kind: "onnx", device: "webgpu", tolerance: 1e-4, runs: 5 });
else console.log("left out: onnx on webgpu (set VK_DRIVER_FILES to a Vulkan driver, such as Chromium's SwiftShader)");
