import assert from "node:assert/strict";
import fc from "fast-check";
import type * as core from "@tensorflow/tfjs-core";
import { CpcError } from "../../errors.ts";
import { sampledObjective } from "../../model/sampled_objective.ts";
import { loadTfjs } from "../../model/tfjs/backend.ts";
import { type NegativeRows, sampledLoss } from "../../training/sampled_loss.ts";
import { maxDifference } from "../support/golden.ts";
import { random } from "../support/stream.ts";

const { tf } = await loadTfjs({ device: "wasm", gradients: true });

interface Case {
  windows: number;
  frames: number;
  steps: number;
  width: number;
  groups: number;
  seed: number;
}

/**
 * N = groups · 2 windows; negatives of the batch and of each group, drawn with repetition: some are
 * positives.
 */
function draw({ windows, frames, steps, width, groups, seed }: Case) {
  const next = random(seed);
  const from = frames - steps;
  const noise = (length: number) => Float32Array.from({ length }, () => next() * 2 - 1);
  const own = windows * frames / groups;
  const negatives: NegativeRows = {
    batch: Int32Array.from({ length: 5 }, () => Math.floor(next() * windows * frames)),
    groups: Array.from(
      { length: groups },
      (_, g) => Int32Array.from({ length: 3 }, () => g * own + Math.floor(next() * own)),
    ),
  };
  return {
    latent: noise(windows * frames * width),
    predictions: noise(windows * from * steps * width),
    negatives,
  };
}

function lossOf(
  { windows, frames, steps, width }: Case,
  { latent, predictions, negatives }: ReturnType<typeof draw>,
) {
  const from = frames - steps;
  const all = tf.tensor4d(predictions, [windows, from, steps, width]);
  const predict = (ks: readonly number[]) => {
    return tf.reshape(tf.slice(all, [0, 0, ks[0] - 1, 0], [windows, from, ks.length, width]), [
      windows * from,
      ks.length * width,
    ]) as core.Tensor2D;
  };
  return sampledLoss(tf, {
    latent: tf.tensor3d(latent, [windows, frames, width]),
    steps,
    predict,
    negatives,
  });
}

const anyCase: fc.Arbitrary<Case> = fc.record({
  groups: fc.integer({ min: 1, max: 3 }),
  steps: fc.integer({ min: 1, max: 4 }),
  more: fc.integer({ min: 1, max: 6 }),
  width: fc.integer({ min: 1, max: 7 }),
  seed: fc.nat(10_000),
}).map(({ more, ...rest }) => ({ ...rest, windows: rest.groups * 2, frames: rest.steps + more }));

Deno.test("sampledLoss() equals the plain objective, batch and voice alike", () => {
  fc.assert(
    fc.property(anyCase, (shape) => {
      const { windows, frames, steps, groups } = shape;
      const drawn = draw(shape);
      const from = frames - steps;
      const { batch, groups: own = [] } = drawn.negatives;
      const perGroup = windows / groups;
      const negatives: number[] = []; // [K, N, S, M]
      for (let k = 0; k < steps; k++) {
        for (let n = 0; n < windows; n++) {
          for (let t = 0; t < from; t++) negatives.push(...batch, ...own[Math.floor(n / perGroup)]);
        }
      }
      const truth = sampledObjective({ ...shape, ...drawn, negatives, shared: false });
      tf.tidy(() => {
        const { loss, nce, accuracy } = lossOf(shape, drawn);
        assert.ok(
          Math.abs(loss.dataSync()[0] - truth.nce) <= 1e-5,
          `${loss.dataSync()[0]} and ${truth.nce}`,
        );
        assert.ok(maxDifference(nce.dataSync(), truth.steps.map(({ nce }) => nce)) <= 1e-5);
        assert.ok(
          maxDifference(accuracy.dataSync(), truth.steps.map(({ accuracy }) => accuracy)) <= 1e-6,
        );
      });
    }),
    { numRuns: 60, seed: 5 },
  );
});

Deno.test("sampledLoss() has the gradient of finite differences", () => {
  const shape: Case = { windows: 4, frames: 7, steps: 3, width: 3, groups: 2, seed: 3 };
  const drawn = draw(shape);
  const from = shape.frames - shape.steps;
  const { batch, groups: own = [] } = drawn.negatives;
  const negatives = Array.from({ length: shape.steps * shape.windows * from }, (_, at) => {
    return [...batch, ...own[Math.floor(at / from % shape.windows / 2)]];
  }).flat();
  const truth = (latent: Float64Array) =>
    sampledObjective({ ...shape, latent, predictions: drawn.predictions, negatives, shared: false })
      .nce;
  const gradient = tf.tidy(() => {
    return tf.grad((latent) => {
      const all = tf.tensor4d(drawn.predictions, [shape.windows, from, shape.steps, shape.width]);
      const { loss } = sampledLoss(tf, {
        latent: latent as core.Tensor3D,
        steps: shape.steps,
        predict: (ks) =>
          tf.reshape(
            tf.slice(all, [0, 0, ks[0] - 1, 0], [shape.windows, from, ks.length, shape.width]),
            [shape.windows * from, ks.length * shape.width],
          ) as core.Tensor2D,
        negatives: drawn.negatives,
      });
      return loss;
    })(tf.tensor3d(drawn.latent, [shape.windows, shape.frames, shape.width])).dataSync();
  });
  const at = Float64Array.from(drawn.latent);
  const step = 1e-5;
  const finite = at.map((x, i) => {
    const move = (by: number) => truth(at.with(i, x + by));
    return (move(step) - move(-step)) / (2 * step);
  });
  assert.ok(maxDifference(gradient, finite) <= 1e-5, `|Δ| ${maxDifference(gradient, finite)}`);
});

Deno.test("sampledLoss() refuses windows without a frame to predict", () => {
  tf.tidy(() => {
    const shape: Case = { windows: 2, frames: 3, steps: 3, width: 2, groups: 1, seed: 1 };
    const latent = tf.zeros([2, 3, 2]) as core.Tensor3D;
    const predict = () => tf.zeros([0, 2]) as core.Tensor2D;
    assert.throws(
      () =>
        sampledLoss(tf, {
          latent,
          steps: shape.steps,
          predict,
          negatives: { batch: Int32Array.of(0) },
        }),
      (error) => error instanceof CpcError && error.code === "audio_too_short",
    );
  });
});
