import assert from "node:assert/strict";
import { PRECISIONS } from "../../../model/engine.ts";
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
