/**
 * The TensorFlow.js engine on WebGPU, where an adapter answers; docs/gpu.md has drivers in
 * software.
 */
import assert from "node:assert/strict";
import type * as core from "@tensorflow/tfjs-core";
import { FP32_TOLERANCE } from "../../../conformance/check.ts";
import { createEngine } from "../../../model/engines/create.ts";
import { loadTfjs } from "../../../model/tfjs/backend.ts";
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

  Deno.test("tfjs on webgpu names its adapter, and warns of one in software", async () => {
    const engine = await createEngine("tfjs", randomWeights(tinyConfig), {
      device: "webgpu",
      precision: "fp32",
      threads: 1,
    });
    assert.equal(engine.device, "webgpu");
    assert.equal(engine.maxRows, adapter.inSoftware ? 64 : 512);
    assert.equal(engine.backend.library, `tfjs-backend-webgpu 4.22.0 (${adapter.name})`);
    assert.equal(/in software/.test(engine.backend.warning ?? ""), adapter.inSoftware);
    await engine.dispose();
  });

  Deno.test("tfjs on webgpu adds up more tensors than a shader has room for", async () => {
    const { tf } = await loadTfjs({ device: "webgpu" });
    const before = tf.memory().numTensors;
    for (const count of [1, 2, 7, 8, 30]) {
      const sum = tf.tidy(() => {
        const parts = Array.from({ length: count }, (_, i) => tf.fill([300], i + 1));
        return tf.addN(parts);
      });
      const data = await sum.data();
      sum.dispose();
      assert.ok(data.every((x) => x === count * (count + 1) / 2), `${count}: ${data[0]}`);
    }
    assert.equal(tf.memory().numTensors, before);
  });

  Deno.test("tfjs on webgpu throws what WebGPU refused, once", async () => {
    const { tf } = await loadTfjs({ device: "webgpu" });
    const backend: core.KernelBackend & { readonly device?: GPUDevice } = tf.backend();
    const read = async () => {
      const twos = tf.tidy(() => tf.add(tf.ones([5000]), 1));
      return await twos.data().finally(() => twos.dispose());
    };
    backend.device?.createBuffer({ size: 4, usage: 0 }); // a buffer that is for nothing
    await assert.rejects(read(), /WebGPU refused an operation: ./);
    assert.equal((await read())[0], 2);
  });
}
