/** The sampled objective on WebGPU, where an adapter answers, held to WebAssembly's. */
import assert from "node:assert/strict";
import type * as core from "@tensorflow/tfjs-core";
import { loadTfjs } from "../../model/tfjs/backend.ts";
import { webgpuAdapter } from "../../model/tfjs/webgpu_adapter.ts";
import { sampledLoss } from "../../training/sampled_loss.ts";
import { maxDifference } from "../support/golden.ts";
import { leftOut } from "../support/left_out.ts";
import { random } from "../support/stream.ts";

const [WINDOWS, FRAMES, STEPS, WIDTH] = [2, 8, 3, 5];
const FROM = FRAMES - STEPS;

const adapter = await webgpuAdapter().catch((error: Error) => error);
if (adapter instanceof Error) leftOut("the sampled objective on webgpu", adapter.message);
else {
  const { tf } = await loadTfjs({ device: "wasm", gradients: true });
  await loadTfjs({ device: "webgpu", gradients: true, awaits: true });
  const next = random(23);
  const numbers = (count: number) => Float32Array.from({ length: count }, () => next() * 2 - 1);
  const latents = numbers(WINDOWS * FRAMES * WIDTH);
  const predictions = numbers(WINDOWS * FROM * STEPS * WIDTH);
  // some are positives
  const negatives = {
    batch: Int32Array.of(0, 3, 4, 11),
    groups: [Int32Array.of(2, 6), Int32Array.of(9, 15)],
  };

  /** Loss, nce, accuracy, and the gradients by latents and predictions. */
  const computed = async (backend: string, together?: number) => {
    await tf.setBackend(backend);
    const tensors = tf.tidy(() => {
      const lossOf = (latent: core.Tensor, predictions: core.Tensor) =>
        sampledLoss(tf, {
          latent: latent as core.Tensor3D,
          steps: STEPS,
          predict: (ks) =>
            tf.reshape(
              tf.slice(predictions, [0, 0, ks[0] - 1, 0], [WINDOWS, FROM, ks.length, WIDTH]),
              [WINDOWS * FROM, ks.length * WIDTH],
            ),
          negatives,
          together,
        });
      const inputs = [
        tf.tensor3d(latents, [WINDOWS, FRAMES, WIDTH]),
        tf.tensor4d(predictions, [WINDOWS, FROM, STEPS, WIDTH]),
      ];
      const { loss, nce, accuracy } = lossOf(inputs[0], inputs[1]);
      return [
        loss,
        nce,
        accuracy,
        ...tf.grads((latent, predictions) => lossOf(latent, predictions).loss)(inputs),
      ];
    });
    const data = await Promise.all(tensors.map((x) => x.data<"float32">()));
    tf.dispose(tensors);
    return data;
  };

  for (
    const [backend, together] of [["wasm", 2], ["webgpu", 1], ["webgpu", 2], ["webgpu"]] as const
  ) {
    Deno.test(`sampledLoss() on ${backend} is that of one k at a time, ${together ?? "all"} together`, async () => {
      const wanted = await computed("wasm", 1);
      const got = await computed(backend, together);
      wanted.forEach((data, i) => {
        assert.equal(got[i].length, data.length);
        const difference = maxDifference(got[i], data);
        assert.ok(difference <= 1e-6, `${i}: |Δ| ${difference}`);
      });
    });
  }
}
