import assert from "node:assert/strict";
import type * as core from "@tensorflow/tfjs-core";
import { modelConfigSchema } from "../../model/architecture.ts";
import { sampledObjective } from "../../model/sampled_objective.ts";
import { referenceForward, referencePredictions } from "../../model/reference.ts";
import { reversedModel } from "../../model/reverse.ts";
import { loadTfjs } from "../../model/tfjs/backend.ts";
import { Network } from "../../training/network.ts";
import type { Tensor } from "../../model/safetensors.ts";
import type { Weights } from "../../model/weights.ts";
import { negativesOf } from "../../training/batches.ts";
import { initialTensors } from "../../training/initial_weights.ts";
import { networkLoss } from "../../training/loss.ts";
import { TransformerHead } from "../../training/transformer_head.ts";
import { maxDifference } from "../support/golden.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";
import { random } from "../support/stream.ts";

const { tf } = await loadTfjs({ device: "wasm", gradients: true });
const [WINDOWS, SAMPLES, FRAMES, STEPS] = [4, 1600, 10, 3];
const config = modelConfigSchema.parse({
  ...tinyConfig,
  reverse: {
    context: { type: "gru", hidden: 5, layers: 1 },
    predictors: { steps: STEPS, type: "linear" },
  },
});
const samples = (() => {
  const next = random(8);
  return Float32Array.from({ length: WINDOWS * SAMPLES }, () => next() - 0.5);
})();
const negatives = negativesOf({ windows: WINDOWS, voices: 2, frames: FRAMES }, {
  negatives: { batch: 9, voice: 0 },
  seed: 2,
});

/** The plain objective of a model's forward network on windows, whose context may hear others. */
function truthOf(weights: Weights, windows: readonly Float32Array[], past = windows) {
  const outputs = windows.map((window) => referenceForward(weights, window));
  const rows = past.map((window) => referenceForward(weights, window)).map(({ hidden }) => {
    const kept = {
      ...hidden,
      frames: FRAMES - STEPS,
      data: hidden.data.subarray(0, (FRAMES - STEPS) * hidden.width),
    };
    return referencePredictions(weights, kept).data;
  });
  return sampledObjective({
    windows: WINDOWS,
    frames: FRAMES,
    steps: STEPS,
    latent: Float64Array.from(outputs.flatMap(({ latent }) => [...latent.data])),
    predictions: Float64Array.from(rows.flatMap((data) => [...data])),
    negatives: negatives.batch,
    shared: true,
  });
}

const windowsOf = () =>
  Array.from({ length: WINDOWS }, (_, n) => samples.slice(n * SAMPLES, (n + 1) * SAMPLES));

Deno.test("networkLoss() is the reference's plain objective, of both directions", () => {
  for (const isReversible of [false, true]) {
    const weights = randomWeights(isReversible ? config : tinyConfig, 11);
    const reverse = reversedModel(weights);
    const truths = [truthOf(weights, windowsOf())];
    if (reverse) truths.push(truthOf(reverse, windowsOf().map((window) => window.toReversed())));
    const network = new Network(tf, weights);
    tf.tidy(() => {
      const parts = [0, 1].map((half) => {
        return tf.tensor2d(samples.subarray(half * 2 * SAMPLES, (half + 1) * 2 * SAMPLES), [
          2,
          SAMPLES,
        ]);
      });
      const { nce } = networkLoss(tf, network, { windows: parts, negatives });
      const wanted = truths[0].steps.map((_, k) =>
        truths.reduce((sum, { steps }) => sum + steps[k].nce, 0) / truths.length
      );
      assert.ok(maxDifference(nce.dataSync(), wanted) <= 1e-4, `${nce.dataSync()} and ${wanted}`);
    });
    network.dispose();
  }
});

Deno.test("networkLoss() predicts windows from what the context hears in their place", () => {
  const { id, tensors } = randomWeights(config, 11);
  const surer = ([name, { shape, data }]: [string, Tensor]) =>
    [name, { shape, data: name.includes("predictors.") ? data.map((x) => 20 * x) : data }] as const;
  const weights: Weights = { id, config, tensors: new Map([...tensors].map(surer)) };
  const others = windowsOf().map((window) =>
    window.map((x, i) => -4 * x + 3 * Math.sin(i * i / 900))
  );
  const backwards = (windows: Float32Array[]) => windows.map((window) => window.toReversed());
  const truths = [
    truthOf(weights, windowsOf(), others),
    truthOf(reversedModel(weights)!, backwards(windowsOf()), backwards(others)),
  ];
  const network = new Network(tf, weights);
  tf.tidy(() => {
    const [input, past] = [samples, Float32Array.from(others.flatMap((window) => [...window]))]
      .map((data) => tf.tensor2d(data, [WINDOWS, SAMPLES]));
    const { nce } = networkLoss(tf, network, { windows: [input], past, negatives });
    const wanted = truths[0].steps.map((step, k) => (step.nce + truths[1].steps[k].nce) / 2);
    assert.ok(maxDifference(nce.dataSync(), wanted) <= 1e-4, `${nce.dataSync()} and ${wanted}`);
    assert.ok(
      maxDifference(
        networkLoss(tf, network, { windows: [input], negatives }).nce.dataSync(),
        wanted,
      ) > 1e-3,
    );
  });
  network.dispose();
});

Deno.test("networkLoss() in training falls along its gradient, by finite differences", () => {
  const network = new Network(tf, { config, tensors: initialTensors(config, 5) });
  tf.tidy(() => {
    const input = tf.tensor2d(samples, [WINDOWS, SAMPLES]);
    checkSlopes(
      () => networkLoss(tf, network, { windows: [input], negatives, training: true }).loss,
      network.trainable,
    );
  });
  network.dispose();
});

Deno.test("networkLoss() leaves the context's past out of running statistics", async () => {
  const statistics = async (withPast: boolean) => {
    const network = new Network(tf, { config: tinyConfig, tensors: initialTensors(tinyConfig, 5) });
    tf.tidy(() => {
      const input = tf.tensor2d(samples, [WINDOWS, SAMPLES]);
      const past: core.Tensor2D | undefined = withPast ? tf.mul(input, 10) : undefined;
      networkLoss(tf, network, { windows: [input], past, negatives, training: true });
    });
    const moved = [...await network.toTensors()].filter(([name]) => name.includes("running_"));
    network.dispose();
    return moved;
  };
  const without = await statistics(false);
  assert.deepEqual(await statistics(true), without);
  assert.ok(
    without.some(([name, { data }]) =>
      name.endsWith("running_var") && Math.abs(data[0] - 1) > 1e-3
    ),
  );
});

Deno.test("TransformerHead trains by its gradient, and sees no row after its own", () => {
  const sizes = { context: 16, latent: 8, steps: STEPS };
  const head = new TransformerHead(tf, sizes, 3);
  tf.tidy(() => {
    const next = random(4);
    const rows = (n: number) =>
      tf.tensor3d(Float32Array.from({ length: 2 * n * 16 }, () => next() * 2 - 1), [2, n, 16]);
    const context = rows(7);
    const [a, b] = [
      context,
      tf.concat([tf.slice(context, [0, 0, 0], [2, 4, 16]), rows(3)], 1) as core.Tensor3D,
    ].map((x) => {
      return tf.reshape(head.transform(x), [2, 7, 16]);
    });
    const part = (x: core.Tensor, from: number, n: number) =>
      tf.slice(x, [0, from, 0], [2, n, 16]).dataSync();
    assert.ok(maxDifference(part(a, 0, 4), part(b, 0, 4)) <= 1e-6);
    assert.ok(maxDifference(part(a, 4, 3), part(b, 4, 3)) > 0.1);
    const target = tf.tensor2d(Float32Array.from({ length: 14 * 8 }, () => next() * 2 - 1), [
      14,
      8,
    ]);
    checkSlopes(() => {
      const transformed = head.transform(context);
      const each = Array.from(
        { length: STEPS },
        (_, k) => tf.mean(tf.squaredDifference(head.predict(transformed, k + 1), target)),
      );
      return tf.addN(each);
    }, head.variables);
  });
  head.dispose();
});

Deno.test("networkLoss() with a head: the network learns from the head alone", () => {
  const network = new Network(tf, { config: tinyConfig, tensors: initialTensors(tinyConfig, 5) });
  const latent = tinyConfig.encoder[tinyConfig.encoder.length - 1].channels;
  const head = new TransformerHead(
    tf,
    { context: tinyConfig.context.hidden, latent, steps: STEPS },
    3,
  );
  const variables = [...network.trainable.values(), ...head.variables.values()];
  tf.tidy(() => {
    const input = tf.tensor2d(samples, [WINDOWS, SAMPLES]);
    const gradientsOf = (withHead: boolean) => {
      const loss = () =>
        networkLoss(tf, network, { windows: [input], negatives, head: withHead ? head : undefined })
          .loss;
      return tf.variableGrads(loss, withHead ? variables : [...network.trainable.values()]);
    };
    const [plain, headed] = [gradientsOf(false), gradientsOf(true)];
    const { nce } = networkLoss(tf, network, { windows: [input], negatives, head });
    assert.ok(
      maxDifference(
        nce.dataSync(),
        networkLoss(tf, network, { windows: [input], negatives }).nce.dataSync(),
      ) <= 1e-6,
    );
    for (const [name, variable] of network.trainable) {
      const difference = maxDifference(
        plain.grads[variable.name].dataSync(),
        headed.grads[variable.name].dataSync(),
      );
      const isOwn = name.startsWith("predictors.");
      assert.ok(isOwn ? difference <= 1e-6 : difference > 1e-6, `${name}: ${difference}`);
    }
    for (const [name, variable] of network.trainable) {
      // what moves them moves nothing else
      if (name.startsWith("predictors.")) variable.assign(tf.mul(variable, 3));
    }
    const after = gradientsOf(true);
    for (const [name, variable] of network.trainable) {
      if (name.startsWith("predictors.")) continue;
      assert.ok(
        maxDifference(
          headed.grads[variable.name].dataSync(),
          after.grads[variable.name].dataSync(),
        ) <= 1e-6,
        name,
      );
    }
  });
  head.dispose();
  network.dispose();
});

/** Holds the gradient of each variable against the slope of the loss along it. */
function checkSlopes(
  loss: () => core.Scalar | core.Tensor,
  variables: ReadonlyMap<string, core.Variable>,
): void {
  const { grads } = tf.variableGrads(() => loss() as core.Scalar, [...variables.values()]);
  for (const [name, variable] of variables) {
    const gradient = grads[variable.name];
    const norm = tf.norm(gradient).dataSync()[0];
    const before = variable.clone();
    const at = (distance: number) => {
      variable.assign(tf.add(before, tf.mul(gradient, distance / norm)) as core.Tensor);
      return loss().dataSync()[0];
    };
    const step = 3e-3;
    const slope = (at(step) - at(-step)) / (2 * step);
    variable.assign(before);
    assert.ok(norm > 1e-4, `${name} has no gradient`);
    assert.ok(
      Math.abs(slope - norm) <= 0.03 * norm + 2e-4,
      `${name}: slope ${slope}, gradient ${norm}`,
    );
  }
}
