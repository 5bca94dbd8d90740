import assert from "node:assert/strict";
import { NORM_EPS } from "../../model/architecture.ts";
import { loadTfjs } from "../../model/tfjs/backend.ts";
import { referenceForward } from "../../model/reference.ts";
import { untrainedWeights } from "../../evaluation/untrained.ts";
import { fixtureSamples } from "../support/golden.ts";
import { tinyConfig } from "../support/models.ts";

Deno.test("untrainedWeights() have running statistics of the audio they hear", async () => {
  const { tf } = await loadTfjs({ device: "cpu" });
  const speech = fixtureSamples("italian_long.wav");
  const batches = Array.from(
    { length: 6 },
    (_, i) => [0, 1].map((j) => speech.slice((i + 6 * j) * 4000, (i + 6 * j) * 4000 + 12_000)),
  );
  const make = (seed: number) =>
    untrainedWeights(tf, { id: "untrained", config: tinyConfig, seed, batches });
  const weights = await make(1);
  assert.ok(
    [...weights.tensors].filter(([name]) => name.endsWith("running_var")).every(([, { data }]) =>
      data.every((x) => x > 0)
    ),
  );
  // batch norm's outputs are near normal: ReLU of N(0, 1) has the mean 0.40
  const { latent } = referenceForward(weights, speech);
  const mean = latent.data.reduce((sum, x) => sum + x, 0) / latent.data.length;
  assert.ok(mean > 0.25 && mean < 0.55, `${mean}`);
  const first = weights.tensors.get("encoder.0.norm.running_var")!.data;
  // speech is quiet: nothing is left of the 1 that they begin with
  assert.ok(first.every((x) => x < 1 / 4 && x > NORM_EPS / 100));
  assert.deepEqual(await make(1), weights);
  assert.notDeepEqual(await make(2), weights);
});
