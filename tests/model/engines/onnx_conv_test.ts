import assert from "node:assert/strict";
import { modelConfigSchema, streamingPlan } from "../../../model/architecture.ts";
import { OnnxBuilder } from "../../../model/engines/onnx_builder.ts";
import { fastFir, hasFast, isFast, phasesOf, plainConv } from "../../../model/engines/onnx_conv.ts";
import { loadOnnxRuntime } from "../../../model/engines/onnx_runtime.ts";
import type { FoldedConv } from "../../../model/folded.ts";
import { loadWeights } from "../../../model/weights.ts";
import { maxDifference } from "../../support/golden.ts";
import { random } from "../../support/stream.ts";

/** A plan of layers of 6 channels. */
function planOf(...layers: [kernel: number, stride: number][]) {
  return streamingPlan(modelConfigSchema.parse({
    sample_rate: 16_000,
    encoder: layers.map(([kernel, stride]) => ({
      kernel,
      stride,
      padding: 0,
      channels: 6,
      norm: "none",
    })),
    context: { type: "gru", hidden: 4, layers: 1 },
    predictors: null,
  }));
}

Deno.test("isFast() takes kernels of two strides with 4 outputs, first layer aside", async () => {
  const { config } = await loadWeights("weights/cpc-base");
  const { convs } = streamingPlan(config);
  assert.deepEqual(convs.map(isFast), [false, true, true, false, false]);
  // kernels of one stride and of three, and an odd number of outputs
  assert.ok(!hasFast(planOf([4, 2], [2, 2], [6, 2], [3, 3])));
  assert.ok(!hasFast(planOf([4, 2], [4, 2], [5, 5])));
});

Deno.test("fastFir() computes one product of windows, 3 products for 2 outputs", async () => {
  const [plan] = planOf([4, 2], [4, 2], [4, 4]).convs.filter(isFast);
  assert.ok(plan);
  const { stride, inChannels, outChannels, blocks, rowsPerHop } = plan;
  const D = stride * inChannels;
  const [B, n] = [3, 2 * rowsPerHop];
  const next = random(1);
  const numbers = (length: number) => Float32Array.from({ length }, () => next() * 2 - 1);
  const conv: FoldedConv = {
    plan,
    weight: numbers(blocks * D * outChannels),
    bias: numbers(outChannels),
  };
  const b = new OnnxBuilder();
  const [tail, fresh] = [b.input("tail", ["B", 1, D]), b.input("fresh", ["B", "n", D])];
  const plain = plainConv(b, { tail, phases: [fresh] }, conv);
  const [even, odd] = fastFir(b, { tail, phases: phasesOf(b, fresh, D) }, conv);
  b.output("plain", plain, ["N", outChannels]);
  b.output("even", even, ["N", outChannels]);
  b.output("odd", odd, ["N", outChannels]);
  const ort = await loadOnnxRuntime();
  const session = await ort.InferenceSession.create(b.encode());
  const outputs = await session.run({
    tail: new ort.Tensor("float32", numbers(B * D), [B, 1, D]),
    fresh: new ort.Tensor("float32", numbers(B * n * D), [B, n, D]),
  });
  await session.release();
  const dataOf = (name: string) => outputs[name].data as Float32Array;
  const rowsOf = (data: Float32Array) =>
    Array.from(
      { length: data.length / outChannels },
      (_, row) => data.subarray(row * outChannels, (row + 1) * outChannels),
    );
  const [evenRows, oddRows] = [rowsOf(dataOf("even")), rowsOf(dataOf("odd"))];
  assert.deepEqual([evenRows.length, oddRows.length], [B * n / 2, B * n / 2]);
  const inOrder = evenRows.flatMap((row, i) => [...row, ...oddRows[i]]);
  assert.ok(maxDifference(inOrder, dataOf("plain")) < 1e-5);
});
