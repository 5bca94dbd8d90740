import assert from "node:assert/strict";
import type * as core from "@tensorflow/tfjs-core";
import { loadTfjs } from "../../model/tfjs/backend.ts";
import { bfloat16Products } from "../../training/bfloat16.ts";
import { maxDifference } from "../support/golden.ts";

const { tf, backend } = await loadTfjs({ device: "cpu", gradients: true });

Deno.test("bfloat16Products() leaves other backends and fp32 alone", () => {
  if (backend === "wasm") assert.equal(bfloat16Products(tf, "bf16"), undefined);
  assert.equal(bfloat16Products(tf, "fp32"), undefined);
});

if (backend === "tfjs-node") {
  Deno.test("bfloat16Products() computes large products in 8 bits, small ones as before", () => {
    const products = bfloat16Products(tf, "bf16");
    assert.ok(products);
    const shape = [1024, 512, 1024] as const; // 5.4e8 multiply-adds
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      for (
        const [transposeA, transposeB] of [[false, false], [true, false], [false, true], [
          true,
          true,
        ]]
      ) {
        const [rows, inner, columns] = shape;
        const a = tf.randomUniform(
          transposeA ? [inner, rows] : [rows, inner],
          0,
          1,
          "float32",
          1,
        ) as core.Tensor2D;
        const b = tf.randomUniform(
          transposeB ? [columns, inner] : [inner, columns],
          0,
          1,
          "float32",
          2,
        ) as core.Tensor2D;
        const product = () => tf.matMul(a, b, transposeA, transposeB);
        const exact = product();
        products.enabled = true;
        const half = product();
        const smallHalf = tf.matMul(tf.slice(a, [0, 0], [8, 8]), tf.slice(b, [0, 0], [8, 8]));
        products.enabled = false;
        const small = tf.matMul(tf.slice(a, [0, 0], [8, 8]), tf.slice(b, [0, 0], [8, 8]));
        assert.deepEqual(half.shape, exact.shape);
        const error = tf.max(tf.div(tf.abs(tf.sub(half, exact)), exact)).dataSync()[0];
        // factors and result are rounded to 8 bits, without AVX-512 parts of the sums too
        assert.ok(error > 0 && error < 2 ** -6, `relative error ${error}`);
        assert.equal(maxDifference(smallHalf.dataSync(), small.dataSync()), 0);
      }
    });
    assert.equal(tf.memory().numTensors, before);
  });
}
