import assert from "node:assert/strict";
import { type Engine, modelLayout } from "../../model/engine.ts";
import type { Want } from "../../streaming/messages.ts";
import { StepLoop } from "../../streaming/step_loop.ts";
import { tinyConfig } from "../support/models.ts";

const CONTEXT: Want = { context: true, latent: false, prediction: [], score: [], every: 1 };

/** An engine that finishes a step when it is told to. */
function heldEngine() {
  const layout = modelLayout(tinyConfig);
  let finish = () => {};
  const engine: Engine = {
    kind: "onnx",
    device: "cpu",
    precision: "fp32",
    layout,
    maxRows: 64,
    async step({ streams, hops }) {
      const held = Promise.withResolvers<void>();
      finish = held.resolve;
      await held.promise;
      const rows = (width: number) => new Float32Array(streams * hops * width);
      const context = rows(layout.dims.context);
      const state = new Float32Array(streams * layout.stateFloats);
      return { latent: rows(layout.dims.latent), context, hidden: context, state };
    },
    predict: () => Promise.reject(new TypeError("nothing is predicted here")),
    dispose: () => Promise.resolve(),
  };
  return { engine, finish: () => finish() };
}

Deno.test("StepLoop.drain() while a step is under way is answered after that step's frames", async () => {
  const { engine, finish } = heldEngine();
  const told: string[] = [];
  const loop = new StepLoop(new Map([["tiny", engine]]), {
    slots: 1,
    reports: {
      step: (results) => told.push(`frames until ${results[0].frames}`),
      reached: (_, id, frames) => told.push(`reached ${id} at ${frames}`),
      failed: (_, error) => assert.fail(error),
    },
  });
  const lease = { index: 0, generation: 0 };
  loop.open(lease, { model: "tiny", priority: "live", want: CONTEXT, checkpointHops: 0 });
  loop.audio(lease, new Float32Array(480));
  loop.drain(lease, 1);
  const steps = [];
  for (let i = 0; i < 2; i++) { // 480 samples: a hop of youth, then those of frames 0 and 1
    steps.push(loop.step());
    loop.drain(lease, 2 + i);
    finish();
    assert.equal(await steps[i], true);
  }
  assert.equal(await loop.step(), false);
  assert.deepEqual(told, ["frames until 0", "frames until 2", "reached 1 at 2", "reached 2 at 2", "reached 3 at 2"]);
});
