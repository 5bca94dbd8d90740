import assert from "node:assert/strict";
import { CpcError } from "../../../errors.ts";
import { createEngine, fillMask } from "../../../model/engine.ts";
import { loadTfjs } from "../../../model/tfjs/backend.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";
import { engineConformance } from "./conformance.ts";

engineConformance({ kind: "tfjs", device: "wasm", tolerance: 1e-4, runs: 40 });

Deno.test("TfjsEngine.create() refuses devices and precisions that it does not have, by name", async () => {
  const weights = randomWeights(tinyConfig);
  const create = (device: string, precision: "fp32" | "int8") => createEngine("tfjs", weights, { device, precision, threads: 1 });
  await assert.rejects(create("abacus", "fp32"), (error) => error instanceof CpcError && /abacus.*wasm/.test(error.message));
  await assert.rejects(create("wasm", "int8"), (error) => error instanceof CpcError && /int8/.test(error.message));
});

Deno.test("TfjsEngine keeps no tensor over 10,000 steps, and none once it is disposed", async () => {
  const { tf } = await loadTfjs({ device: "wasm" });
  const before = tf.memory().numTensors;
  const small = { ...tinyConfig, encoder: tinyConfig.encoder.slice(3) };
  const engine = await createEngine("tfjs", randomWeights(small), { device: "wasm", precision: "fp32", threads: 1 });
  const { plan, stateFloats } = engine.layout;
  const input = { streams: 1, hops: 1, samples: new Float32Array(plan.hopSamples), state: new Float32Array(stateFloats) };
  const mask = (hopsTaken: number) =>
    plan.convs.map((conv) => {
      const mask = new Float32Array(conv.rowsPerHop);
      fillMask(mask, conv, { hopsTaken, totalRows: Infinity });
      return mask;
    });
  const [young, grown] = [mask(0), mask(plan.youngHops)];
  const loaded = tf.memory().numTensors;
  for (let i = 0; i < 10_000; i++) await engine.step({ ...input, masks: i % 10 === 0 ? young : grown });
  await engine.predict(new Float32Array(engine.layout.dims.context));
  assert.equal(tf.memory().numTensors, loaded);
  await engine.dispose();
  assert.equal(tf.memory().numTensors, before);
});
