/** TensorFlow.js frees tensors by hand, so an engine that forgets one leaks. */
import assert from "node:assert/strict";
import { fillMask } from "../../../model/engine.ts";
import { loadTfjs } from "../../../model/tfjs/backend.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";
import { createEngine } from "../../../model/engines/create.ts";

/** Defines the test for one device. */
export function keepsNoTensor(device: string, { steps = 10_000 } = {}): void {
  Deno.test(`tfjs on ${device} keeps no tensor over ${steps} steps, or once disposed`, async () => {
    const { tf } = await loadTfjs({ device });
    const before = tf.memory().numTensors;
    const small = { ...tinyConfig, encoder: tinyConfig.encoder.slice(4) };
    const engine = await createEngine("tfjs", randomWeights(small), {
      device,
      precision: "fp32",
      threads: 1,
    });
    const { plan, stateFloats } = engine.layout;
    const input = {
      streams: 1,
      hops: 1,
      samples: new Float32Array(plan.hopSamples),
      state: new Float32Array(stateFloats),
    };
    const mask = (hopsTaken: number) =>
      plan.convs.map((conv) => {
        const mask = new Float32Array(conv.rowsPerHop);
        fillMask(mask, conv, { hopsTaken, totalRows: Infinity });
        return mask;
      });
    const [young, grown] = [mask(0), mask(plan.youngHops)];
    const loaded = tf.memory().numTensors;
    for (let i = 0; i < steps; i++) {
      await engine.step({ ...input, masks: i % 10 === 0 ? young : grown });
    }
    await engine.predict(new Float32Array(engine.layout.dims.context));
    assert.equal(tf.memory().numTensors, loaded);
    await engine.dispose();
    assert.equal(tf.memory().numTensors, before);
  });
}
