import assert from "node:assert/strict";
import { loadWeights, type Weights } from "../../../model/weights.ts";
import { relativeDifference } from "../../support/golden.ts";
import { voice, wide, withEngine } from "../../support/int8.ts";
import { randomWeights } from "../../support/models.ts";
import { streamWhole } from "../../support/stream.ts";

Deno.test("onnx in int8: the shipped models stay near fp32 at any loudness", async () => {
  const cases: [Weights, number][] = [
    [await loadWeights("weights/cpc-base"), 0.03],
    [await loadWeights("weights/cpc-small"), 0.03],
    [randomWeights(wide, 7), 0.03],
  ];
  for (const [weights, bound] of cases) {
    for (const gain of [1, 1e-3]) {
      const samples = voice(16_000, 9).map((x) => x * gain);
      let exact: number[] = [];
      await withEngine(weights, "fp32", async (engine) => {
        exact = (await streamWhole(engine, samples)).context;
      });
      await withEngine(weights, "int8", async (engine) => {
        assert.equal(engine.precision, "int8");
        const off = relativeDifference((await streamWhole(engine, samples)).context, exact);
        assert.ok(off > 1e-5 && off < bound, `${weights.id} at gain ${gain}: ${off} off`);
      });
    }
  }
});
