/**
 * The ONNX engine on WebGPU, where a Vulkan driver is named; SwiftShader, which Chromium brings, is
 * one in software.
 */
import assert from "node:assert/strict";
import { FP32_TOLERANCE } from "../../../conformance/check.ts";
import { vulkanDevices } from "../../../model/vulkan.ts";
import { leftOut } from "../../support/left_out.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";
import { engineConformance } from "./conformance.ts";
import { createEngine } from "../../../model/engines/create.ts";

const create = () =>
  createEngine("onnx", randomWeights(tinyConfig), {
    device: "webgpu",
    precision: "fp32",
    threads: 1,
  });

const driver = Deno.env.get("VK_DRIVER_FILES") ?? Deno.env.get("VK_ICD_FILENAMES");
const why = driver === undefined
  ? "set VK_DRIVER_FILES to a Vulkan driver, such as Chromium's SwiftShader (docs/gpu.md)"
  : await create().then((engine) => engine.dispose(), (error: Error) => error.message);
if (why !== undefined) {
  leftOut("onnx on webgpu", why);
} else {
  engineConformance({ kind: "onnx", device: "webgpu", tolerance: FP32_TOLERANCE, runs: 5 });

  Deno.test("onnx on webgpu warns of a driver in software, and takes few rows", async () => {
    const software = vulkanDevices().every(({ type }) => type === "cpu");
    const engine = await create();
    assert.equal(engine.device, "webgpu");
    assert.equal(engine.maxRows, software ? 64 : 512);
    assert.equal(/computes on the CPU.*in software/.test(engine.backend.warning ?? ""), software);
    await engine.dispose();
  });
}
