/** An untrained encoder, as a baseline for trained ones. */
import type { ModelConfig } from "../model/architecture.ts";
import type { Tensor } from "../model/safetensors.ts";
import type { Weights } from "../model/weights.ts";
import type { Tensor2D, Tf } from "../model/tfjs/layers.ts";
import { Network } from "../training/network.ts";
import { initialTensors } from "../training/initial_weights.ts";

/** Weight of a running statistic's former value after one batch (PyTorch's momentum 0.1). */
const KEPT = 0.9;

/**
 * Initial weights whose batch norms know the statistics of real audio, so that features have the
 * usual scale.
 *
 * @param options `batches` of windows at 16 kHz, all of one length
 */
export async function untrainedWeights(
  tf: Tf,
  { id, config, seed, batches }: {
    id: string;
    config: ModelConfig;
    seed: number;
    batches: readonly (readonly Float32Array[])[];
  },
): Promise<Weights> {
  const tensors = initialTensors(config, seed);
  const running = [...tensors.keys()].filter((name) => name.includes(".running_"));
  if (running.length === 0) return { id, config, tensors };
  for (const name of running) tensors.set(name, scaled(tensors.get(name) as Tensor, 0));
  const network = new Network(tf, { config, tensors });
  try {
    for (const batch of batches) {
      tf.tidy(() => {
        network.encode(tf.stack(batch.map((window) => tf.tensor1d(window))) as Tensor2D, {
          training: true,
        });
      });
    }
    const moved = await network.toTensors();
    const share = 1 - KEPT ** batches.length; // begun at 0, the statistics lack the rest
    for (const name of running) tensors.set(name, scaled(moved.get(name) as Tensor, 1 / share));
  } finally {
    network.dispose();
  }
  return { id, config, tensors };
}

function scaled({ shape, data }: Tensor, factor: number): Tensor {
  return { shape, data: data.map((x) => x * factor) };
}
