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
      adam.apply(new Map([["x", gradient(ours)]]), step);
      library.applyGradients([{ name: theirs.name, tensor: gradient(theirs) }]);
    });
    assert.ok(maxDifference(ours.dataSync(), theirs.dataSync()) <= 1e-6, `step ${step}`);
  }
  adam.dispose();
  library.dispose();
  tf.dispose([ours, theirs]);
});

Deno.test("Adam clips all gradients by their common norm", () => {
  const variables = new Map(["a", "b"].map((name) => [name, tf.variable(tf.tensor1d([0]))]));
  const adam = new Adam(tf, variables, { ...options, clip: 1 });
  const norm = tf.tidy(() =>
    adam.apply(new Map([["a", tf.tensor1d([3])], ["b", tf.tensor1d([4])]]), 0)
  );
  assert.equal(norm, 5);
  const means = [...adam.moments.values()].map(({ mean }) => mean.dataSync()[0]);
  assert.ok(maxDifference(means, [0.1 * 3 / 5, 0.1 * 4 / 5]) <= 1e-7);
  adam.dispose();
  tf.dispose([...variables.values()]);
});

Deno.test("Adam changes nothing when a gradient is not finite", () => {
  const variables = new Map(["a", "b"].map((name) => [name, tf.variable(tf.tensor1d([1]))]));
  const adam = new Adam(tf, variables, { ...options, clip: 1 });
  const state = () =>
    [
      ...variables.values(),
      ...[...adam.moments.values()].flatMap(({ mean, square }) => [mean, square]),
    ].map((x) => x.dataSync()[0]);
  for (const wrong of [NaN, Infinity]) {
    const norm = tf.tidy(() =>
      adam.apply(new Map([["a", tf.tensor1d([3])], ["b", tf.tensor1d([wrong])]]), 0)
    );
    assert.ok(!Number.isFinite(norm));
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
