/**
 * What a step on WebGPU does with its gradients, held to the same in TensorFlow.js ops on
 * WebAssembly, where an adapter answers; docs/gpu.md has drivers in software.
 */
import assert from "node:assert/strict";
import type * as core from "@tensorflow/tfjs-core";
import { loadTfjs } from "../../model/tfjs/backend.ts";
import { webgpuAdapter } from "../../model/tfjs/webgpu_adapter.ts";
import { Adam } from "../../training/adam.ts";
import { moveAverages, sumOfSquares } from "../../training/webgpu_update.ts";
import { maxDifference } from "../support/golden.ts";
import { leftOut } from "../support/left_out.ts";
import { random } from "../support/stream.ts";
import { countKernels } from "../support/webgpu_memory.ts";

/** More tensors than one kernel takes; less, as much, and more than a workgroup and than all. */
const SIZES = [1, 3, 255, 256, 257, 1000, 20_000, 2, 7];

const adapter = await webgpuAdapter().catch((error: Error) => error);
if (adapter instanceof Error) leftOut("updates on webgpu", adapter.message);
else {
  const { tf } = await loadTfjs({ device: "wasm", gradients: true });
  await loadTfjs({ device: "webgpu", gradients: true, awaits: true });
  const next = random(5);
  const drawn = () =>
    SIZES.map((size) => Float32Array.from({ length: size }, () => next() * 2 - 1));
  const read = (tensors: core.Tensor[]) => Promise.all(tensors.map((x) => x.data<"float32">()));
  const variables = (values: Float32Array[]) =>
    values.map((value) => tf.tidy(() => tf.variable(tf.tensor1d(value))));
  const assertClose = (got: Float32Array[], wanted: Float32Array[], tolerance: number) =>
    wanted.forEach((value, i) => {
      const difference = maxDifference(got[i], value);
      assert.ok(difference <= tolerance, `${i}: |Δ| ${difference}`);
    });

  Deno.test("Adam on WebGPU moves variables as on WebAssembly, clipped and not", async () => {
    const start = drawn();
    const gradients = [drawn(), drawn(), drawn()];
    const options = {
      rate: 0.01,
      warmup_steps: 0,
      steps: 100,
      final_share: 1,
      beta1: 0.9,
      beta2: 0.99,
    };
    const moved = async (backend: string, clip: number) => {
      await tf.setBackend(backend);
      const before = tf.memory().numTensors;
      const named = new Map(variables(start).map((x, i) => [String(i), x]));
      const adam = new Adam(tf, named, { ...options, clip });
      const looks: Float32Array[][] = [];
      for (const [step, some] of gradients.entries()) {
        tf.tidy(() => {
          const gradients = new Map(some.map((x, i) => [String(i), tf.tensor1d(x)]));
          adam.apply(gradients, { step, norm: tf.sqrt(adam.squaredNorm(gradients)) });
        });
        // what was read once must not hide what changes later
        looks.push(
          await read([
            ...named.values(),
            ...[...adam.moments.values()].flatMap(({ mean, square }) => [mean, square]),
          ]),
        );
      }
      adam.dispose();
      tf.dispose([...named.values()]);
      assert.equal(tf.memory().numTensors, before, "tensors were left behind");
      return looks;
    };
    for (const clip of [0.5, 1e9]) {
      const [wanted, got] = [await moved("wasm", clip), await moved("webgpu", clip)];
      wanted.forEach((look, step) => assertClose(got[step], look, 1e-5));
    }
  });

  Deno.test("sumOfSquares() sums the squares of all tensors, in two kernels more than groups", async () => {
    await tf.setBackend("webgpu");
    const values = drawn();
    const wanted = values.flatMap((x) => [...x]).reduce((sum, x) => sum + x * x, 0);
    let data = new Float32Array();
    const tensors = values.map((value) => tf.tensor1d(value));
    const kernels = await countKernels(async () => {
      const sum = sumOfSquares(tf, tensors);
      data = await sum.data<"float32">() as Float32Array<ArrayBuffer>;
      sum.dispose();
    });
    tf.dispose(tensors);
    assert.ok(Math.abs(data[0] / wanted - 1) < 1e-5, `${data[0]}, ${wanted}`);
    assert.equal(kernels, 2 + 2);
  });

  Deno.test("moveAverages() moves each average by its share, and no value", async () => {
    await tf.setBackend("webgpu");
    const [averages, values] = [drawn(), drawn()];
    const [moving, still] = [variables(averages), variables(values)];
    const kernels = await countKernels(() => {
      moveAverages(tf, moving.map((average, i) => ({ average, value: still[i] })), 0.75);
      return Promise.resolve();
    });
    assert.equal(kernels, 3);
    assertClose(
      await read(moving),
      averages.map((average, i) => average.map((x, j) => 0.75 * x + 0.25 * values[i][j])),
      1e-6,
    );
    assertClose(await read(still), values, 0);
    tf.dispose([...moving, ...still]);
  });
}
