/**
 * The TensorFlow.js engine on WebGPU, where an adapter answers; docs/gpu.md has drivers in software.
 */
import assert from "node:assert/strict";
import { FP32_TOLERANCE } from "../../../conformance/check.ts";
import { createEngine } from "../../../model/engines/create.ts";
import { webgpuAdapter } from "../../../model/tfjs/webgpu_adapter.ts";
import { leftOut } from "../../support/left_out.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";
import { engineConformance } from "./conformance.ts";
import { keepsNoTensor } from "./tfjs_memory.ts";

const adapter = await webgpuAdapter().catch((error: Error) => error);
if (adapter instanceof Error) leftOut("tfjs on webgpu", adapter.message);
else {
  engineConformance({
    kind: "tfjs",
    device: "webgpu",
    tolerance: FP32_TOLERANCE,
    runs: 3,
    // a driver in software takes minutes for all; `deno task doctor --check` has them
    fixtures: /residual_everywhere/,
  });
  keepsNoTensor("webgpu", { steps: 100 });

  Deno.test("tfjs on webgpu names its adapter, and warns when that is a driver in software", async () => {
    const engine = await createEngine("tfjs", randomWeights(tinyConfig), {
      device: "webgpu",
      precision: "fp32",
      threads: 1,
    });
    assert.equal(engine.device, "webgpu");
    assert.equal(engine.backend.library, `tfjs-backend-webgpu 4.22.0 (${adapter.name})`);
    assert.equal(/in software/.test(engine.backend.warning ?? ""), adapter.inSoftware);
    await engine.dispose();
  });
}
