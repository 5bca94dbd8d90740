/** Small models of any architecture, with seeded random weights. */
import { join } from "node:path";
import fc from "fast-check";
import { type ModelConfig, modelConfigSchema, streamingPlan } from "../../model/architecture.ts";
import { elementCount, type Tensor, writeSafetensors } from "../../model/safetensors.ts";
import { expectedTensors, type Weights } from "../../model/weights.ts";
import { random } from "./stream.ts";

/** Weights of a configuration; optional tensors are there or not by the seed. */
export function randomWeights(config: ModelConfig, seed = 1, id = "random"): Weights {
  const next = random(seed);
  const tensors = new Map<string, Tensor>();
  for (const [name, { shape, optional }] of expectedTensors(config)) {
    if (optional && next() < 0.5) continue;
    const fanIn = elementCount(shape.slice(1)) || 1;
    const draw = name.endsWith("running_var")
      ? () => 0.2 + next()
      : () => (next() - 0.4) * 2 / Math.sqrt(fanIn);
    tensors.set(name, { shape, data: Float32Array.from({ length: elementCount(shape) }, draw) });
  }
  return { id, config, tensors };
}

const layer = fc.record({
  kernel: fc.integer({ min: 1, max: 9 }),
  stride: fc.integer({ min: 1, max: 4 }),
  padding: fc.integer({ min: 0, max: 8 }),
  channels: fc.integer({ min: 2, max: 6 }),
  norm: fc.constantFrom("batch" as const, "channel" as const, "none" as const),
  residual_blocks: fc.integer({ min: 0, max: 2 }),
}).map((layer) => ({ ...layer, padding: Math.min(layer.padding, layer.kernel - 1) }));

/**
 * Configurations of odd stacks: kernels below, at and above their strides, any padding, every norm,
 * residual blocks, GRU and LSTM, delayed or not.
 */
export const anyConfig: fc.Arbitrary<ModelConfig> = fc.record({
  encoder: fc.array(layer, { minLength: 1, maxLength: 3 }),
  context: fc.record({
    type: fc.constantFrom("gru" as const, "lstm" as const),
    hidden: fc.integer({ min: 1, max: 5 }),
    layers: fc.integer({ min: 1, max: 3 }),
    output_layer: fc.integer({ min: 1, max: 3 }),
  }).map((context) => ({
    ...context,
    output_layer: Math.min(context.output_layer, context.layers),
  })),
  input_scale: fc.constantFrom(1, 0.5, 100),
  /** Its share of the look-ahead that it may take. */
  delay: fc.constantFrom(0, 0.5, 1),
}).map(({ delay, ...rest }) => {
  const config = modelConfigSchema.parse({
    sample_rate: 16_000,
    predictors: { steps: 2, type: "linear" },
    ...rest,
  });
  const most = streamingPlan(config).lookaheadSamples - 1;
  return delay === 0 ? config : { ...config, delay_samples: Math.floor(delay * most) };
});

/**
 * The smallest model that is still of the shipped one's shape: hop 160, look-ahead 312, two frames
 * of youth less one.
 */
export const tinyConfig: ModelConfig = modelConfigSchema.parse({
  sample_rate: 16_000,
  encoder: [[10, 5, 3], [8, 4, 2], [4, 2, 1], [4, 2, 1], [4, 2, 1]].map((
    [kernel, stride, padding],
  ) => ({
    kernel,
    stride,
    padding,
    channels: 8,
    norm: "batch",
  })),
  context: { type: "gru", hidden: 6, layers: 1 },
  predictors: { steps: 3, type: "linear" },
});

/** Writes the model `tiny` into a folder of that name. */
export async function writeTinyModel(folder: string): Promise<void> {
  await Deno.mkdir(join(folder, "tiny"));
  await Deno.writeTextFile(join(folder, "tiny/config.json"), JSON.stringify(tinyConfig));
  const { tensors } = randomWeights(tinyConfig, 21);
  await Deno.writeFile(join(folder, "tiny/model.safetensors"), writeSafetensors(tensors));
}
