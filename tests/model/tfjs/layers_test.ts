/**
 * Gradients written by hand against the library's own of the same mathematics, and against
 * differences.
 */
import assert from "node:assert/strict";
import type * as core from "@tensorflow/tfjs-core";
import { NORM_EPS } from "../../../model/architecture.ts";
import { loadTfjs } from "../../../model/tfjs/backend.ts";
import {
  batchNorm,
  blockProduct,
  type Moments,
  momentsOfProduct,
  relu,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  windows,
} from "../../../model/tfjs/layers.ts";
import { gru, recurrentWeights } from "../../../model/tfjs/recurrent.ts";
import { maxDifference } from "../../support/golden.ts";
import { random } from "../../support/stream.ts";

const { tf } = await loadTfjs({ device: "wasm", gradients: true });
const next = random(31);
const TOLERANCE = 1e-5;

function tensor<T extends core.Tensor>(shape: number[]): T {
  return tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => next() * 2 - 1),
    shape,
  ) as T;
}

/** Values and gradients of two functions are the same, for a random gradient of their output. */
function assertSameGradients(
  inputs: core.Tensor[],
  ours: (...inputs: core.Tensor[]) => core.Tensor,
  theirs: (...inputs: core.Tensor[]) => core.Tensor,
) {
  const [a, b] = [ours(...inputs), theirs(...inputs)];
  assert.deepEqual(a.shape, b.shape);
  assert.ok(maxDifference(a.dataSync(), b.dataSync()) <= TOLERANCE);
  const dy = tensor(a.shape);
  const [ga, gb] = [tf.grads(ours)(inputs, dy), tf.grads(theirs)(inputs, dy)];
  ga.forEach((gradient, i) => {
    assert.deepEqual(gradient.shape, inputs[i].shape);
    const difference = maxDifference(gradient.dataSync(), gb[i].dataSync());
    assert.ok(difference <= 5 * TOLERANCE, `gradient of input ${i}: |Δ| ${difference}`);
  });
}

Deno.test("relu() has the library's values and gradients", () => {
  assertSameGradients([tensor([7, 5])], (x) => relu(tf, x), (x) => tf.relu(x));
});

Deno.test("blockProduct() is the product of windows, with its gradients", () => {
  for (const blocks of [1, 2, 3]) {
    assertSameGradients(
      [tensor([2, 6, 4]), tensor([blocks * 4, 3])],
      (x, w) => blockProduct(tf, x as Tensor3D, w as Tensor2D, blocks),
      (x, w) => tf.matMul(windows(tf, x as Tensor3D, blocks), w as Tensor2D),
    );
  }
});

Deno.test("batchNorm() has the gradients of its formula, with and without ReLU", () => {
  for (const activate of [false, true]) {
    const seen: Moments[] = [];
    assertSameGradients(
      [tensor([9, 4]), tensor([4]), tensor([4])],
      (x, gain, shift) =>
        batchNorm(tf, x as Tensor2D, {
          gain: gain as Tensor1D,
          shift: shift as Tensor1D,
          activate,
          onMoments: (moments) => seen.push(moments),
        }),
      (x, gain, shift) => {
        const { mean, variance } = tf.moments(x, 0);
        const y = tf.add(
          tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, NORM_EPS))), gain),
          shift,
        );
        return activate ? tf.relu(y) : y;
      },
    );
    assert.equal(seen[0].rows, 9);
  }
});

Deno.test("momentsOfProduct() are the moments of the product", () => {
  const [x, w] = [tensor<Tensor2D>([40, 6]), tensor<Tensor2D>([6, 5])];
  const { mean, variance } = momentsOfProduct(tf, x, w);
  const truth = tf.moments(tf.matMul(x, w), 0);
  assert.ok(maxDifference(mean.dataSync(), truth.mean.dataSync()) <= TOLERANCE);
  assert.ok(maxDifference(variance.dataSync(), truth.variance.dataSync()) <= TOLERANCE);
});

Deno.test("gru() has the gradients of its unrolled formula, for every input", () => {
  const [frames, streams, inputs, width] = [5, 3, 4, 2];
  const plain = (
    x: core.Tensor,
    wi: core.Tensor,
    wh: core.Tensor,
    bi: core.Tensor,
    bh: core.Tensor,
    h0: core.Tensor,
  ) => {
    let h = h0;
    const outputs: core.Tensor[] = [];
    for (const row of tf.unstack(x)) {
      const [ir, iz, inn] = tf.split(tf.add(tf.matMul(row, wi), bi), 3, 1);
      const [hr, hz, hn] = tf.split(tf.add(tf.matMul(h, wh), bh), 3, 1);
      const [r, z] = [tf.sigmoid(tf.add(ir, hr)), tf.sigmoid(tf.add(iz, hz))];
      const n = tf.tanh(tf.add(inn, tf.mul(r, hn)));
      h = tf.add(tf.mul(tf.sub(1, z), n), tf.mul(z, h));
      outputs.push(h);
    }
    return tf.stack(outputs);
  };
  assertSameGradients(
    [
      tensor([frames, streams, inputs]),
      tensor([inputs, 3 * width]),
      tensor([width, 3 * width]),
      tensor([3 * width]),
      tensor([3 * width]),
      tensor([streams, width]),
    ],
    (x, wi, wh, bi, bh, h) =>
      gru(tf, x as Tensor3D, {
        weights: recurrentWeights(tf, "gru", {
          weightIh: wi as Tensor2D,
          weightHh: wh as Tensor2D,
          biasIh: bi as Tensor1D,
          biasHh: bh as Tensor1D,
        }),
        hidden: h as Tensor2D,
      }).output,
    plain,
  );
});
