import assert from "node:assert/strict";
import { CpcError } from "../../errors.ts";
import { referenceForward, referencePredictions } from "../../model/reference.ts";
import { reversedModel } from "../../model/reverse.ts";
import { checkTensors } from "../../model/weights.ts";
import {
  caseWeights,
  featureCases,
  fixtureSamples,
  indices,
  maxDifference,
  pick,
  readGolden,
} from "../support/golden.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";

/** The reference computes in float64, the golden tensors are float32 roundings of float64 runs. */
const TOLERANCE = 1e-5;
const SAMPLES_OF_BASE = 6000; // the full-size model takes 50 ms a frame in plain loops

for (const golden of featureCases()) {
  const isBase = golden.model === "weights/cpc-base";
  Deno.test(`referenceForward() equals PyTorch: ${golden.name}`, async () => {
    const weights = await caseWeights(golden.model);
    const samples = fixtureSamples(golden.wav, golden);
    assert.equal(samples.length, golden.samples);
    const arrays = readGolden(golden.file);
    const { latent, context, hidden } = referenceForward(
      weights,
      isBase ? samples.subarray(0, SAMPLES_OF_BASE) : samples,
    );
    // the last frames of a cut signal see its end
    const frames = isBase ? latent.frames - 2 : golden.frames;
    if (!isBase) assert.equal(latent.frames, golden.frames);
    for (const [name, rows] of [["latent", latent], ["context", context]] as const) {
      const columns = indices(arrays.get(`${name}_channels`));
      const wanted = arrays.get(name);
      assert.ok(wanted && columns.length > 0);
      const kept = Array.from({ length: frames }, (_, i) => i);
      const got = pick(rows.data, { width: rows.width, rows: kept, columns });
      const expected = Array.from(wanted.data.slice(0, frames * columns.length), Number);
      assert.ok(
        maxDifference(got, expected) <= TOLERANCE,
        `${name}: ${maxDifference(got, expected)}`,
      );
    }
    if (!weights.config.predictors) return;
    const predicted = indices(arrays.get("prediction_frames")).filter((t) => t < frames);
    const rows = referencePredictions(weights, hidden);
    const got = pick(rows.data, { width: rows.width, rows: predicted });
    const expected = Array.from(arrays.get("prediction")!.data.slice(0, got.length), Number);
    assert.ok(
      maxDifference(got, expected) <= TOLERANCE,
      `prediction: ${maxDifference(got, expected)}`,
    );
  });
}

Deno.test("reversedModel(): its network over time-reversed samples equals PyTorch", async () => {
  const golden = featureCases().find(({ name }) => name === "features_cdck6_russian")!;
  const weights = reversedModel(await caseWeights(golden.model))!;
  assert.equal(reversedModel(weights), undefined);
  checkTensors(weights.config, weights.tensors);
  const arrays = readGolden(golden.file);
  const { context, hidden } = referenceForward(
    weights,
    fixtureSamples(golden.wav, golden).toReversed(),
  );
  const wanted = (name: string) => Array.from(arrays.get(name)!.data, Number);
  assert.ok(maxDifference(context.data, wanted("reverse_context")) <= TOLERANCE);
  const rows = referencePredictions(weights, hidden);
  const got = pick(rows.data, {
    width: rows.width,
    rows: indices(arrays.get("prediction_frames")),
  });
  assert.ok(maxDifference(got, wanted("reverse_prediction")) <= TOLERANCE);
});

Deno.test("referenceForward() refuses audio below one frame and says the bound", () => {
  const weights = randomWeights(tinyConfig);
  assert.equal(referenceForward(weights, new Float32Array(159)).latent.frames, 1);
  assert.throws(() => referenceForward(weights, new Float32Array(158)), (error) => {
    assert.ok(error instanceof CpcError && error.code === "audio_too_short");
    assert.match(error.message, /159 samples.*158/);
    return true;
  });
});
