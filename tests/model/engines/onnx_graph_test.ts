import assert from "node:assert/strict";
import { fillMask, modelLayout, PRECISIONS } from "../../../model/engine.ts";
import { foldConv } from "../../../model/folded.ts";
import { loadOnnxRuntime } from "../../../model/engines/onnx_runtime.ts";
import { stepGraph } from "../../../model/engines/onnx_graph.ts";
import { createEngine } from "../../../model/engines/create.ts";
import { loadWeights } from "../../../model/weights.ts";
import { stepTogether, TestStream } from "../../support/stream.ts";

/** The least number that is not denormal. */
const LEAST_NORMAL = 2 ** -126;

Deno.test("stepGraph() takes denormal samples as silence, and keeps none", async () => {
  const weights = await loadWeights("weights/cpc-small");
  for (const precision of PRECISIONS) {
    const engine = await createEngine("onnx", weights, { device: "cpu", precision, threads: 1 });
    try {
      for (const company of [1, 8]) { // few rows, and many
        const [silence, denormal] = await Promise.all([0, 1e-40].map(async (sample) => {
          const streams = Array.from({ length: company }, () => new TestStream(engine));
          for (const { queue } of streams) queue.push(new Float32Array(1600).fill(sample));
          while (streams[0].queue.hopsReady > 0) await stepTogether(engine, streams, 1);
          return streams[0];
        }));
        assert.deepEqual(denormal.latent, silence.latent);
        assert.deepEqual(denormal.context, silence.context);
        const kept = denormal.state.filter((x) => x !== 0 && Math.abs(x) < LEAST_NORMAL);
        assert.equal(kept.length, 0);
      }
    } finally {
      await engine.dispose();
    }
  }
});

Deno.test("stepGraph() cut after the last layer gives the step's latents", async () => {
  const weights = await loadWeights("weights/cpc-small");
  const layout = modelLayout(weights.config);
  const { plan, stateFloats } = layout;
  const convs = plan.convs.map((conv) => foldConv(weights, conv));
  const ort = await loadOnnxRuntime();
  const rows = 8;
  const tensor = (width: number, at: (i: number) => number) =>
    new ort.Tensor("float32", Float32Array.from({ length: rows * width }, (_, i) => at(i)), [
      rows,
      width,
    ]);
  const masks = plan.convs.map((conv, i) => {
    const mask = new Float32Array(conv.rowsPerHop);
    fillMask(mask, conv, { hopsTaken: plan.youngHops + 1, totalRows: Infinity });
    return [`mask_${i}`, tensor(conv.rowsPerHop, (n) => mask[n % conv.rowsPerHop])];
  });
  const feeds = {
    samples: tensor(plan.hopSamples, (i) => Math.sin(i)),
    state: tensor(stateFloats, (i) => Math.cos(i)),
    ...Object.fromEntries(masks),
  };
  for (const fast of [false, true]) {
    const latents = await Promise.all([undefined, convs.length - 1].map(async (until) => {
      const bytes = stepGraph(weights, { layout, precision: "fp32", convs, fast, until });
      const session = await ort.InferenceSession.create(bytes);
      const output = await session.run(feeds);
      await session.release();
      return output[until === undefined ? "latent" : "part_0"].data;
    }));
    assert.deepEqual(latents[1], latents[0]);
  }
});
