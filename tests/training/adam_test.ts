import assert from "node:assert/strict";
import type * as core from "@tensorflow/tfjs-core";
import { loadTfjs } from "../../model/tfjs/backend.ts";
import { Adam, rateAt } from "../../training/adam.ts";
import { maxDifference } from "../support/golden.ts";

const { tf } = await loadTfjs({ device: "wasm", gradients: true });
const options = {
  rate: 0.01,
  warmup_steps: 0,
  steps: 1000,
  final_share: 1,
  beta1: 0.9,
  beta2: 0.99,
  clip: 1e9,
};

Deno.test("Adam moves variables as the library's own optimizer does", () => {
  const start = [1, -2, 3];
  const [ours, theirs] = [tf.variable(tf.tensor1d(start)), tf.variable(tf.tensor1d(start))];
  const adam = new Adam(tf, new Map([["x", ours]]), options);
  const library = tf.train.adam(options.rate, options.beta1, options.beta2, 1e-8);
  for (let step = 0; step < 20; step++) {
    tf.tidy(() => {
      const gradient = (x: core.Variable) => tf.mul(2, tf.sub(x, [step % 3, 0.5, -1]));
      adam.apply(new Map([["x", gradient(ours)]]), { step, norm: 1 });
      library.applyGradients([{ name: theirs.name, tensor: gradient(theirs) }]);
    });
    assert.ok(maxDifference(ours.dataSync(), theirs.dataSync()) <= 1e-6, `step ${step}`);
  }
  adam.dispose();
  library.dispose();
  tf.dispose([ours, theirs]);
});

for (const [clip, scale] of [[1, 1 / 5], [10, 1]]) {
  Deno.test(`Adam clips gradients by their common norm of 5 to ${clip}, read or not`, () => {
    const means = [true, false].map((isRead) => {
      const variables = new Map(["a", "b"].map((name) => [name, tf.variable(tf.tensor1d([0]))]));
      const adam = new Adam(tf, variables, { ...options, clip });
      const before = tf.memory().numTensors;
      tf.tidy(() => {
        const gradients = new Map([["a", tf.tensor1d([3])], ["b", tf.tensor1d([4])]]);
        const norm: core.Scalar = tf.sqrt(adam.squaredNorm(gradients));
        assert.equal(norm.dataSync()[0], 5);
        adam.apply(gradients, { step: 0, norm: isRead ? norm.dataSync()[0] : norm });
      });
      assert.equal(tf.memory().numTensors, before);
      const means = [...adam.moments.values()].map(({ mean }) => mean.dataSync()[0]);
      adam.dispose();
      tf.dispose([...variables.values()]);
      return means;
    });
    for (const mean of means) assert.ok(maxDifference(mean, [0.3 * scale, 0.4 * scale]) <= 1e-7);
  });
}

Deno.test("Adam changes nothing when a gradient is not finite", () => {
  const variables = new Map(["a", "b"].map((name) => [name, tf.variable(tf.tensor1d([1]))]));
  const adam = new Adam(tf, variables, { ...options, clip: 1 });
  const state = () =>
    [
      ...variables.values(),
      ...[...adam.moments.values()].flatMap(({ mean, square }) => [mean, square]),
    ].map((x) => x.dataSync()[0]);
  for (const wrong of [NaN, Infinity]) {
    tf.tidy(() => {
      const gradients = new Map([["a", tf.tensor1d([3])], ["b", tf.tensor1d([wrong])]]);
      const norm = Math.sqrt(adam.squaredNorm(gradients).dataSync()[0]);
      assert.ok(!Number.isFinite(norm));
      adam.apply(gradients, { step: 0, norm });
    });
    assert.deepEqual(state(), [1, 1, 0, 0, 0, 0]);
  }
  adam.dispose();
  tf.dispose([...variables.values()]);
});

Deno.test("rateAt() warms up linearly and falls by a cosine", () => {
  const schedule = { ...options, rate: 1, warmup_steps: 10, steps: 110, final_share: 0.1 };
  assert.equal(rateAt(0, schedule), 0.1);
  assert.equal(rateAt(9, schedule), 1);
  assert.equal(rateAt(10, schedule), 1);
  assert.ok(Math.abs(rateAt(60, schedule) - 0.55) < 1e-12);
  assert.ok(Math.abs(rateAt(110, schedule) - 0.1) < 1e-12);
  assert.equal(rateAt(500, schedule), rateAt(110, schedule));
});
