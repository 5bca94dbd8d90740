/**
 * Kernels of our own on WebGPU, held to the same functions in TensorFlow.js ops on WebAssembly,
 * where an adapter answers; docs/gpu.md has drivers in software.
 */
import assert from "node:assert/strict";
import type * as core from "@tensorflow/tfjs-core";
import { loadTfjs } from "../../../model/tfjs/backend.ts";
import {
  batchNorm,
  type Moments,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
} from "../../../model/tfjs/layers.ts";
import { gru, recurrentWeights } from "../../../model/tfjs/recurrent.ts";
import { webgpuAdapter } from "../../../model/tfjs/webgpu_adapter.ts";
import { workgroupBytes } from "../../../model/tfjs/webgpu_kernel.ts";
import { batchNormInKernels } from "../../../model/tfjs/webgpu_norm.ts";
import { maxDifference } from "../../support/golden.ts";
import { leftOut } from "../../support/left_out.ts";
import { countKernels } from "../../support/webgpu_memory.ts";
import { random } from "../../support/stream.ts";

const TOLERANCE = 1e-5;

const adapter = await webgpuAdapter().catch((error: Error) => error);
if (adapter instanceof Error) leftOut("kernels on webgpu", adapter.message);
else {
  const { tf } = await loadTfjs({ device: "wasm", gradients: true });
  await loadTfjs({ device: "webgpu", gradients: true, awaits: true });
  const mostBytes = workgroupBytes(tf);
  const next = random(17);
  const numbers = (count: number, scale = 1) =>
    Float32Array.from({ length: count }, () => (next() * 2 - 1) * scale);

  /** The value of a function and its gradients by all inputs, computed on a backend. */
  const computed = async (
    backend: string,
    inputs: { shape: number[]; data: Float32Array }[],
    of: (...inputs: core.Tensor[]) => core.Tensor,
    dy: Float32Array,
    { kept = 0 } = {},
  ) => {
    await tf.setBackend(backend);
    const before = tf.memory().numTensors;
    const tensors = tf.tidy(() => {
      const given = inputs.map(({ data, shape }) => tf.tensor(data, shape));
      const value = of(...given);
      return [value, ...tf.grads(of)(given, tf.tensor(dy, value.shape))];
    });
    const data = await Promise.all(tensors.map((x) => x.data<"float32">()));
    tf.dispose(tensors);
    assert.equal(tf.memory().numTensors, before + kept, "tensors were left behind");
    return data;
  };

  const layerOf = (inputs: number, width: number, streams: number, frames: number) => ({
    inputs: [
      [frames, streams, inputs],
      [inputs, 3 * width],
      [width, 3 * width],
      [3 * width],
      [3 * width],
      [streams, width],
    ].map((shape, i) => {
      const count = shape.reduce((a, b) => a * b);
      return { shape, data: numbers(count, i === 2 ? 1 / Math.sqrt(width) : 1) };
    }),
    of: (...[x, weightIh, weightHh, biasIh, biasHh, hidden]: core.Tensor[]) =>
      gru(tf, x as Tensor3D, {
        weights: recurrentWeights(tf, "gru", {
          weightIh: weightIh as Tensor2D,
          weightHh: weightHh as Tensor2D,
          biasIh: biasIh as Tensor1D,
          biasHh: biasHh as Tensor1D,
        }),
        hidden: hidden as Tensor2D,
      }).output,
    dy: numbers(frames * streams * width),
  });

  // more units than threads; wider than a workgroup's memory holds
  for (
    const [width, streams, frames] of [
      [1, 1, 1],
      [5, 3, 7],
      [300, 2, 4],
      [mostBytes / 16 + 1, 1, 1],
    ]
  ) {
    const sizes = `${[width, streams, frames]}`;
    Deno.test(`gru() on WebGPU has WebAssembly's gradients: ${sizes}`, async () => {
      const { inputs, of, dy } = layerOf(2, width, streams, frames);
      const [wanted, got] = [
        await computed("wasm", inputs, of, dy),
        await computed("webgpu", inputs, of, dy),
      ];
      wanted.forEach((data, i) => {
        const largest = data.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
        const difference = maxDifference(got[i], data);
        assert.ok(difference <= TOLERANCE * Math.max(1, largest), `${i}: ${difference}`);
      });
    });
  }

  // more rows than a part has, and more channels than threads
  for (const [rows, channels] of [[1, 1], [9, 4], [256, 3], [700, 260]]) {
    for (const activate of [true, false]) {
      Deno.test(
        `batchNormInKernels() is batchNorm() on WebAssembly: ${rows} rows of ${channels}, ${
          activate ? "with" : "without"
        } ReLU`,
        async () => {
          // far from zero, where sums of squares would lose their digits
          const x = numbers(rows * channels).map((value) => 30 + value);
          const inputs = [
            { shape: [rows, channels], data: x },
            { shape: [channels], data: numbers(channels) },
            { shape: [channels], data: numbers(channels) },
          ];
          const moments: Moments[] = [];
          const of =
            (norm: typeof batchNorm, activate: boolean) => (...[x, gain, shift]: core.Tensor[]) =>
              norm(tf, x as Tensor2D, {
                gain: gain as Tensor1D,
                shift: shift as Tensor1D,
                activate,
                onMoments: ({ mean, variance, rows }) =>
                  moments.push({ mean: tf.keep(mean), variance: tf.keep(variance), rows }),
              });
          const read = () =>
            Promise.all(
              moments.splice(0).flatMap(({ mean, variance, rows: n }) => {
                assert.equal(n, rows);
                return [mean, variance].map((x) => x.data<"float32">().finally(() => x.dispose()));
              }),
            );
          const kept = { kept: 4 };
          const [edge] = await computed("wasm", inputs, of(batchNorm, false), x, kept);
          await read();
          // where ReLU begins, the last digit would decide
          const dy = numbers(rows * channels).map((d, i) => Math.abs(edge[i]) < 1e-3 ? 0 : d);
          const both = [];
          for (
            const [backend, norm] of [["wasm", batchNorm], ["webgpu", batchNormInKernels]] as const
          ) {
            const data = await computed(backend, inputs, of(norm, activate), dy, kept);
            both.push([...data, ...await read()]);
          }
          const [wanted, got] = both;
          wanted.forEach((data, i) => {
            const largest = data.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
            const difference = maxDifference(got[i], data);
            assert.ok(
              difference <= 2e-4 * Math.max(1, largest),
              `${i}: ${difference} of ${largest}`,
            );
          });
        },
      );
    }
  }

  Deno.test("gru() on WebGPU has as many kernels for any frames; repeats to the bit", async () => {
    const once = async (frames: number) => {
      const { inputs, of, dy } = layerOf(2, 6, 2, frames);
      await computed("webgpu", inputs, of, dy); // what a first time uploads
      let first: Float32Array[] = [];
      const kernels = await countKernels(async () => {
        first = await computed("webgpu", inputs, of, dy);
      });
      assert.deepEqual(await computed("webgpu", inputs, of, dy), first);
      return kernels;
    };
    const kernels = await once(3);
    assert.ok(kernels > 0);
    assert.equal(await once(40), kernels);
  });
}
