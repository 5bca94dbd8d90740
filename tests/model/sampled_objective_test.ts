import assert from "node:assert/strict";
import fc from "fast-check";
import { CpcError } from "../../errors.ts";
import { framesOf } from "../../model/reference_objective.ts";
import { drawNegatives, sampledObjective } from "../../model/sampled_objective.ts";
import { seeded } from "../../model/seeded.ts";
import { modelDims } from "../../model/weights.ts";
import { caseWeights, indices, maxDifference, readGolden } from "../support/golden.ts";
import { caseFeatures, OBJECTIVE_CASES, scale } from "../support/golden_objective.ts";

const refusal = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof CpcError && error.code === code && message.test(error.message);

for (const given of OBJECTIVE_CASES.negatives) {
  Deno.test(`sampledObjective() gives PyTorch's nce and accuracy: ${given.name}`, async () => {
    const weights = await caseWeights(given.model);
    const golden = readGolden(given.file);
    const { steps: K } = modelDims(weights.config);
    const [N, T] = [given.windows.length, given.frames];
    const { latent, predictions } = await caseFeatures(weights, given.windows, {
      samples: given.window,
    });
    const result = sampledObjective({
      windows: N,
      frames: T,
      steps: K,
      latent,
      predictions: framesOf(predictions, { windows: N, frames: T, from: 0, to: T - K }),
      negatives: indices(golden.get("negatives")),
      shared: given.shared,
    });
    const array = (name: string) => Array.from(golden.get(name)?.data ?? [], Number);
    assert.ok(maxDifference(result.nceEach, array("nce_each")) <= 1e-4 * scale(array("nce_each")));
    assert.ok(maxDifference(result.steps.map(({ nce }) => nce), array("nce_k")) <= 1e-4);
    assert.ok(Math.abs(result.nce - given.nce) <= 1e-4);
    const slack = given.fp32_vs_fp64.accuracy_k + 1 / (N * (T - K));
    assert.ok(
      maxDifference(result.steps.map(({ accuracy }) => accuracy), array("accuracy_k")) <= slack,
    );
  });
}

Deno.test("sampledObjective() takes one window and one negative, but not none, nor T = K", () => {
  const one = {
    windows: 1,
    frames: 2,
    steps: 1,
    latent: Float64Array.of(0, 3),
    predictions: Float64Array.of(1),
    shared: true,
  };
  const { nce, accuracy, nceEach } = sampledObjective({ ...one, negatives: [0] });
  assert.ok(Math.abs(nce - Math.log(1 + Math.exp(-3))) < 1e-12);
  assert.deepEqual([accuracy, nceEach.length], [1, 1]);
  assert.equal(sampledObjective({ ...one, negatives: [1] }).nce, 0); // the positive itself, masked
  assert.throws(() => sampledObjective({ ...one, negatives: [] }), RangeError);
  assert.throws(
    () => sampledObjective({ ...one, frames: 1, latent: Float64Array.of(0), negatives: [0] }),
    refusal("audio_too_short", /at least 2; it has 1/),
  );
});

Deno.test("drawNegatives() draws different rows, all of them when as many are asked for", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.nat(), fc.nat(2 ** 32 - 1), (rows, n, seed) => {
      const count = n % (rows + 1);
      const drawn = drawNegatives({ rows, count }, seeded(seed));
      assert.equal(new Set(drawn).size, count);
      assert.ok(drawn.every((row) => row >= 0 && row < rows));
      assert.deepEqual(drawn, drawNegatives({ rows, count }, seeded(seed)));
    }),
  );
  assert.throws(() => drawNegatives({ rows: 3, count: 4 }, seeded(1)), RangeError);
});
