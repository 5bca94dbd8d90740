/** Models and audio for tests of int8. */
import { CpcError } from "../../errors.ts";
import { type ModelConfig, modelConfigSchema } from "../../model/architecture.ts";
import type { Engine, Precision } from "../../model/engine.ts";
import { createEngine } from "../../model/engines/create.ts";
import type { Weights } from "../../model/weights.ts";
import { random } from "./stream.ts";

/**
 * Products of 10, 320, 256 numbers, a residual block's 384 and 384 again: 8 bits are taken behind
 * both norms and behind a block, in kernels of two strides and of three. 4, 2, and then 1 row a
 * hop.
 */
export const wide: ModelConfig = modelConfigSchema.parse({
  sample_rate: 16_000,
  encoder: [[10, 5, 3, 40], [8, 4, 2, 64], [4, 2, 1, 128], [3, 1, 1, 128]].map((
    [kernel, stride, padding, channels],
    i,
  ) => ({
    kernel,
    stride,
    padding,
    channels,
    norm: i === 2 ? "channel" : "batch",
    residual_blocks: i === 2 ? 1 : 0,
  })),
  context: { type: "gru", hidden: 16, layers: 1 },
  predictors: { steps: 2, type: "linear" },
});

/** Runs a test with an engine, unless this processor computes int8 wrongly. */
export async function withEngine(
  weights: Weights,
  precision: Precision,
  use: (engine: Engine) => Promise<void>,
): Promise<void> {
  let engine;
  try {
    engine = await createEngine("onnx", weights, { device: "cpu", precision, threads: 1 });
  } catch (error) {
    if (
      precision === "int8" && error instanceof CpcError &&
      /wrong on this processor/.test(error.message)
    ) return; // as it should
    throw error;
  }
  try {
    await use(engine);
  } finally {
    await engine.dispose();
  }
}

/** Noise whose loudness changes every 50 ms. */
export function voice(length: number, seed: number): Float32Array<ArrayBuffer> {
  const next = random(seed);
  let loudness = 0.5;
  return Float32Array.from({ length }, (_, i) => {
    if (i % 800 === 0) loudness = next() ** 3;
    return (next() * 2 - 1) * loudness;
  });
}
