import assert from "node:assert/strict";
import fc from "fast-check";
import type * as core from "@tensorflow/tfjs-core";
import {
  minimumSamples,
  type ModelConfig,
  modelConfigSchema,
  NORM_EPS,
} from "../../model/architecture.ts";
import { CpcError } from "../../errors.ts";
import { referenceForward, referencePredictions } from "../../model/reference.ts";
import { reversedModel } from "../../model/reverse.ts";
import { loadTfjs } from "../../model/tfjs/backend.ts";
import { Network } from "../../training/network.ts";
import type { Weights } from "../../model/weights.ts";
import {
  caseWeights,
  featureCases,
  fixtureSamples,
  indices,
  maxDifference,
  pick,
  readGolden,
} from "../support/golden.ts";
import { anyConfig, randomWeights, tinyConfig } from "../support/models.ts";
import { random } from "../support/stream.ts";

const { tf } = await loadTfjs({ device: "wasm", gradients: true });
const TOLERANCE = 1e-4;

function near(what: string, got: ArrayLike<number>, wanted: ArrayLike<number>, bound = TOLERANCE) {
  const difference = maxDifference(got, wanted);
  assert.ok(difference <= bound, `${what}: |Δ| ${difference} > ${bound}`);
}

function noise(length: number, seed: number): Float32Array<ArrayBuffer> {
  const next = random(seed);
  return Float32Array.from({ length }, () => next() * 2 - 1);
}

/** Runs on a network, in a scope of tensors, and leaves none behind. */
async function withNetwork(
  weights: Weights,
  use: (network: Network) => Promise<void> | void,
): Promise<void> {
  const before = tf.memory().numTensors;
  const network = new Network(tf, weights);
  tf.engine().startScope();
  try {
    await use(network);
  } finally {
    tf.engine().endScope();
    network.dispose();
  }
  assert.equal(tf.memory().numTensors, before);
}

for (const golden of featureCases()) {
  Deno.test(`Network computes ${golden.name} as PyTorch does`, async () => {
    await withNetwork(await caseWeights(golden.model), (network) => {
      const samples = fixtureSamples(golden.wav, golden);
      const latent = network.encode(tf.tensor2d(samples, [1, samples.length]));
      assert.equal(latent.shape[1], golden.frames);
      const arrays = readGolden(golden.file);
      for (
        const [name, rows] of [["latent", latent], [
          "context",
          network.context(latent).context,
        ]] as const
      ) {
        const columns = indices(arrays.get(`${name}_channels`));
        near(
          name,
          pick(rows.dataSync(), { width: rows.shape[2], columns }),
          Array.from(arrays.get(name)!.data, Number),
        );
      }
    });
  });
}

Deno.test("Network of any architecture equals the reference", async () => {
  await fc.assert(
    fc.asyncProperty(anyConfig, fc.nat(1000), async (config, seed) => {
      const weights = randomWeights(config, seed);
      const samples = noise(minimumSamples(config) + seed % 300, seed);
      const truth = referenceForward(weights, samples);
      const bound = TOLERANCE * truth.latent.data.reduce((max, x) => Math.max(max, Math.abs(x)), 1);
      await withNetwork(weights, (network) => {
        const latent = network.encode(tf.tensor2d(samples, [1, samples.length]));
        near("latent", latent.dataSync(), truth.latent.data, bound);
        const { context, hidden } = network.context(latent);
        near("context", context.dataSync(), truth.context.data, bound);
        const rows = tf.reshape(hidden, [hidden.shape[1], hidden.shape[2]]) as core.Tensor2D;
        const predictions = tf.concat([1, 2].map((k) => network.predict(rows, k)), 1);
        near(
          "predictions",
          predictions.dataSync(),
          referencePredictions(weights, truth.hidden).data,
          bound,
        );
      });
    }),
    { numRuns: 60, seed: 20 },
  );
});

const reversible: ModelConfig = modelConfigSchema.parse({
  ...tinyConfig,
  reverse: {
    context: { type: "gru", hidden: 5, layers: 2 },
    predictors: { steps: 2, type: "linear" },
  },
});

Deno.test("Network.context() and predict() reversed equal the reference's", async () => {
  const weights = randomWeights(reversible, 4);
  const samples = noise(4000, 2);
  const reversed = reversedModel(weights)!;
  const truth = referenceForward(reversed, samples.toReversed());
  await withNetwork(weights, (network) => {
    const backwards = tf.reverse(tf.tensor2d(samples, [1, 4000]), 1) as core.Tensor2D;
    const { context, hidden } = network.context(network.encode(backwards), { reverse: true });
    near("context", context.dataSync(), truth.context.data);
    const rows = tf.reshape(hidden, [hidden.shape[1], hidden.shape[2]]) as core.Tensor2D;
    const predictions = tf.concat(
      [1, 2].map((k) => network.predict(rows, k, { reverse: true })),
      1,
    );
    near("predictions", predictions.dataSync(), referencePredictions(reversed, truth.hidden).data);
  });
});

for (const type of ["gru", "lstm"] as const) {
  Deno.test(`Network.context() of a ${type} continues from a state`, async () => {
    const config = { ...tinyConfig, context: { type, hidden: 6, layers: 2 } };
    await withNetwork(randomWeights(config, 9), (network) => {
      const latent = network.encode(tf.tensor2d(noise(2 * 3200, 5), [2, 3200]));
      const frames = latent.shape[1];
      const whole = network.context(latent).context;
      const first = network.context(tf.slice(latent, [0, 0, 0], [2, 7, 8]));
      const rest = network.context(tf.slice(latent, [0, 7, 0], [2, frames - 7, 8]), {
        state: first.state,
      });
      near(
        "context",
        tf.concat([first.context, rest.context], 1).dataSync(),
        whole.dataSync(),
        1e-6,
      );
    });
  });
}

Deno.test("Network.encode() in training equals plain convolution and batch norm", async () => {
  for (const channels of [2, 16]) { // 16: the statistics come from the covariance of the input
    const config = modelConfigSchema.parse({
      sample_rate: 16_000,
      encoder: [{ kernel: 3, stride: 2, padding: 1, channels, norm: "batch" }],
      context: { type: "gru", hidden: 2, layers: 1 },
      predictors: null,
    });
    await withNetwork(randomWeights(config, 7), async (network) => {
      const x = tf.tensor2d(noise(2 * 50, 3), [2, 50]);
      const weighting = tf.tensor(noise(2 * 25 * channels, 4), [2, 25, channels]);
      const before = await network.toTensors();
      const get = (name: string) => network.trainable.get(`encoder.0.${name}`)!;
      const variables = ["conv.weight", "norm.weight", "norm.bias"].map(get);
      const bias = before.get("encoder.0.conv.bias")?.data ?? new Float32Array(channels);
      const convolve = () => {
        const padded = tf.pad(x, [[0, 0], [1, 0]]);
        const taps = [0, 1, 2].map((j) =>
          tf.reshape(tf.stridedSlice(padded, [0, j], [2, j + 49], [1, 2]), [50, 1])
        );
        const product = tf.matMul(
          tf.concat(taps, 1),
          get("conv.weight") as core.Tensor as core.Tensor2D,
        );
        return tf.reshape(tf.add(product, bias), [2, 25, channels]);
      };
      const plain = () => {
        const y = convolve();
        const { mean, variance } = tf.moments(y, [0, 1]);
        const unit = tf.div(tf.sub(y, mean), tf.sqrt(tf.add(variance, NORM_EPS)));
        const z = tf.relu(tf.add(tf.mul(unit, get("norm.weight")), get("norm.bias")));
        return tf.sum(tf.mul(z, weighting)) as core.Scalar;
      };
      const wanted = tf.variableGrads(plain, variables);
      const got = tf.variableGrads(
        () => tf.sum(tf.mul(network.encode(x, { training: true }), weighting)) as core.Scalar,
        variables,
      );
      near("loss", got.value.dataSync(), wanted.value.dataSync());
      for (const { name } of variables) {
        near(name, got.grads[name].dataSync(), wanted.grads[name].dataSync());
      }

      const { mean, variance } = tf.moments(convolve(), [0, 1]);
      for (
        const [part, value] of [["running_mean", mean], [
          "running_var",
          tf.mul(variance, 50 / 49),
        ]] as const
      ) {
        const name = `encoder.0.norm.${part}`;
        // as PyTorch does, unbiased
        const moved = tf.add(tf.mul(before.get(name)!.data, 0.9), tf.mul(value, 0.1));
        near(part, (await network.toTensors()).get(name)!.data, moved.dataSync(), 1e-6);
      }
    });
  }
});

for (const model of ["residual", "residual_channel", "cdck6", "channel_lstm"]) {
  Deno.test(`Network's gradients and running statistics of ${model} are PyTorch's`, async () => {
    const [windows, windowSamples] = [3, 1600]; // as tests/reference/make_gradients.py has it
    const samples = fixtureSamples("italian_short.wav", {
      start: 8000,
      samples: windows * windowSamples,
    });
    const golden = readGolden(`gradients_${model}.npz`);
    const entries = [...golden].map(([key, { data }]) => [key, Array.from(data, Number)] as const);
    await withNetwork(
      await caseWeights(`tests/fixtures/golden/models/${model}`),
      async (network) => {
        const x = tf.tensor2d(samples, [windows, windowSamples]);
        const loss = () => {
          const losses = (network.config.reverse ? [false, true] : [false]).flatMap((reverse) => {
            const latent = network.encode(reverse ? tf.reverse(x, 1) as core.Tensor2D : x, {
              training: true,
            });
            const weighting = tf.reshape(tf.sin(tf.mul(0.37, tf.range(0, latent.size))), [
              -1,
              latent.shape[2],
            ]);
            const weighted = (rows: core.Tensor) =>
              tf.mean(tf.mul(tf.reshape(rows, weighting.shape), weighting));
            const { hidden } = network.context(latent, { reverse });
            const predicted = network.predict(tf.reshape(hidden, [-1, hidden.shape[2]]), 2, {
              reverse,
            });
            return [weighted(latent), weighted(predicted)];
          });
          return tf.addN(losses) as core.Scalar;
        };
        const names = entries.filter(([key]) => key.startsWith("gradient.")).map(([key]) =>
          key.slice("gradient.".length)
        );
        const variables = names.map((name) => network.trainable.get(name)!);
        const { value, grads } = tf.variableGrads(loss, variables);
        near("loss", value.dataSync(), golden.get("loss")!.data as Float32Array, 1e-6);
        const after = await network.toTensors();
        for (const [key, wanted] of entries) {
          const [kind, name] = [key.slice(0, key.indexOf(".")), key.slice(key.indexOf(".") + 1)];
          if (kind === "gradient") {
            const gradient = grads[network.trainable.get(name)!.name];
            const got = (await network.toTensor(name, gradient)).data;
            const scale = wanted.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
            near(key, got, wanted, 1e-4 * scale + 1e-6);
          } else if (kind === "after") {
            near(key, after.get(name)!.data, wanted, 1e-5 * Math.max(1, ...wanted));
          }
        }
      },
    );
  });
}

Deno.test("Network.toTensors() gives back what went in, and assign() takes it", async () => {
  const [a, b] = [randomWeights(reversible, 1), randomWeights(reversible, 1)];
  await withNetwork(a, async (network) => {
    assert.deepEqual(await network.toTensors(), a.tensors);
    for (const tensor of b.tensors.values()) tensor.data.forEach((x, i) => tensor.data[i] = x / 2);
    network.assign(b.tensors);
    assert.deepEqual(await network.toTensors(), b.tensors);
    assert.throws(() => network.assign(new Map([...b.tensors].slice(1))), CpcError);
  });
});

Deno.test("Network refuses audio below a frame and steps that it does not have", async () => {
  await withNetwork(randomWeights(tinyConfig), (network) => {
    const short = tf.zeros([1, minimumSamples(tinyConfig) - 1]) as core.Tensor2D;
    assert.throws(
      () => network.encode(short),
      (error) => error instanceof CpcError && error.code === "audio_too_short",
    );
    for (const k of [0, 4, 1.5]) {
      assert.throws(() => network.predict(tf.zeros([1, 6]), k), /k must be an integer from 1 to 3/);
    }
  });
});
