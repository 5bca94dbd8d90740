import assert from "node:assert/strict";
import { CpcError } from "../../../errors.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";
import { engineConformance } from "./conformance.ts";
import { keepsNoTensor } from "./tfjs_memory.ts";
import { createEngine } from "../../../model/engines/create.ts";
import { loadTfjs } from "../../../model/tfjs/backend.ts";

engineConformance({ kind: "tfjs", device: "wasm", tolerance: 1e-4, runs: 40 });

Deno.test("TfjsEngine.create() refuses devices and precisions by name", async () => {
  const weights = randomWeights(tinyConfig);
  const create = (device: string, precision: "fp32" | "int8") =>
    createEngine("tfjs", weights, { device, precision, threads: 1 });
  await assert.rejects(
    create("abacus", "fp32"),
    (error) => error instanceof CpcError && /abacus.*wasm/.test(error.message),
  );
  await assert.rejects(
    create("wasm", "int8"),
    (error) => error instanceof CpcError && /int8/.test(error.message),
  );
});

Deno.test("TfjsEngine.predict() computes on its own backend, whoever computed before", async () => {
  const { tf } = await loadTfjs({ device: "wasm" });
  const options = { device: "wasm", precision: "fp32", threads: 1 } as const;
  const engine = await createEngine("tfjs", randomWeights(tinyConfig), options);
  const hidden = Float32Array.from({ length: engine.layout.dims.context }, (_, i) => i / 8);
  const prediction = await engine.predict(hidden);
  tf.registerBackend("other", () => Object.assign(new tf.KernelBackend(), { dispose() {} })); // it computes nothing
  try {
    await tf.setBackend("other");
    assert.deepEqual(await engine.predict(hidden), prediction);
  } finally {
    await tf.setBackend("wasm");
    tf.removeBackend("other");
    await engine.dispose();
  }
});

keepsNoTensor("wasm", { steps: 1000 });
