/** Weights before training, drawn as in the original. */
import type { ModelConfig } from "../model/architecture.ts";
import { elementCount, type Tensor } from "../model/safetensors.ts";
import { hashOf, normal, seeded } from "../model/seeded.ts";
import { expectedTensors } from "../model/weights.ts";

/**
 * Kaiming's normal initialisation by fan-out with ReLU's gain (He et al. 2015, arXiv:1502.01852)
 * for convolutions, predictors and recurrent matrices, as in Lai's implementation of CPC. Norms
 * begin as the identity, and biases evenly within ±1/√fan-in, as in PyTorch (±1/√H in a recurrent
 * network). Biases that a norm would cancel are left out.
 *
 * @param seed each tensor has its own generator, by its name
 * @returns tensors in PyTorch's shapes
 */
export function initialTensors(config: ModelConfig, seed: number): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  const expected = expectedTensors(config);
  for (const [name, { shape, optional }] of expected) {
    const norm = name.replace(/conv(\d*)\.bias$/, "norm$1.weight");
    if (optional && norm !== name && expected.has(norm)) continue;
    const weight = expected.get(name.replace(/bias$/, "weight"))?.shape ?? shape;
    const draw = drawOf(name, { shape, weight, random: seeded(hashOf(seed, name)), config });
    tensors.set(name, { shape, data: Float32Array.from({ length: elementCount(shape) }, draw) });
  }
  return tensors;
}

function drawOf(
  name: string,
  { shape, weight, random, config }: {
    shape: readonly number[];
    weight: readonly number[];
    random: () => number;
    config: ModelConfig;
  },
): () => number {
  if (/norm\d*\.weight$|running_var$/.test(name)) return () => 1;
  if (/norm\d*\.bias$|running_mean$/.test(name)) return () => 0;
  const { hidden } = (name.startsWith("reverse.") ? config.reverse?.context : undefined) ??
    config.context;
  const evenly = (bound: number) => () => (random() * 2 - 1) * bound;
  if (/context\.bias_/.test(name)) return evenly(1 / Math.sqrt(hidden));
  if (name.endsWith(".bias")) return evenly(1 / Math.sqrt(elementCount(weight.slice(1))));
  // channels out · kernel
  const deviation = Math.sqrt(2 / (shape[0] * elementCount(shape.slice(2))));
  return () => normal(random) * deviation;
}
