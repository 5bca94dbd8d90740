import assert from "node:assert/strict";
import { NEGATIVES, runPrediction, WINDOW_SAMPLES } from "../../evaluation/prediction.ts";
import { unit } from "../../evaluation/metrics/verification.ts";
import { random } from "../support/stream.ts";

const windows = Array.from(
  { length: 4 },
  (_, i) => ({ speaker: `s${i}`, samples: new Float32Array(WINDOW_SAMPLES).fill(i) }),
);
const [T, Z, K] = [40, 16, 2];

/** Latents of length 1 that nothing repeats, and the predictions that a rule makes of them. */
function predictor(
  predict: (z: (t: number) => Float32Array, t: number, k: number) => Float32Array,
) {
  return (samples: Float32Array) => {
    const next = random(100 + samples[0]);
    const latent = Float32Array.from(
      Array.from({ length: T }, () => unit(Float32Array.from({ length: Z }, () => next() - 0.5)))
        .flatMap((z) => [...z]),
    );
    const z = (t: number) => latent.subarray((t % T) * Z, (t % T + 1) * Z);
    const predictions = new Float32Array(T * K * Z);
    for (let t = 0; t < T; t++) {
      for (let k = 1; k <= K; k++) predictions.set(predict(z, t, k), (t * K + k - 1) * Z);
    }
    return Promise.resolve({ frames: T, latent, predictions });
  };
}

Deno.test("runPrediction() is near 0 for the very latents, at chance for nothing", async () => {
  const known = await runPrediction(windows, {
    steps: K,
    predict: predictor((z, t, k) => z(t + k).map((x) => 100 * x)),
  });
  assert.ok(known.nce.value < 0.05, `${known.nce.value}`);
  assert.ok(known.steps.every(({ accuracy }) => accuracy > 0.98));
  assert.deepEqual([known.windows, known.nce.speakers, known.nce.count], [4, 4, 4]);
  const blind = await runPrediction(windows, {
    steps: K,
    predict: predictor(() => new Float32Array(Z)),
  });
  const chance = Math.log(NEGATIVES + 1);
  assert.ok(Math.abs(blind.nce.value - chance) < 0.01, `${blind.nce.value} beside ${chance}`);
});

Deno.test("runPrediction() tells the steps apart, and its nce is the mean of theirs", async () => {
  const { nce, steps } = await runPrediction(windows, {
    steps: K,
    predict: predictor((z, t, k) =>
      k === 1 ? z(t + 1).map((x) => 100 * x) : z(t).map((x) => 0 * x)
    ),
  });
  assert.deepEqual(steps.map(({ k }) => k), [1, 2]);
  assert.ok(steps[0].accuracy > 0.98 && steps[0].nce < 0.05 && steps[1].nce > 4);
  assert.ok(Math.abs(nce.value - (steps[0].nce + steps[1].nce) / 2) < 1e-9);
});
