/** Compares an engine with PyTorch's outputs on the recorded fixtures. */
import type { Engine } from "../model/engine.ts";
import { streamWhole } from "./drive.ts";
import {
  type FeatureCase,
  fixtureSamples,
  indices,
  maxDifference,
  pick,
  readGolden,
} from "./golden.ts";

/**
 * Largest |Δ| of an fp32 engine, whatever computes it. Sums of up to 4,096 products in another
 * order, five layers deep, differ by about 1e-5 (PyTorch's own fp32 from its fp64: up to 9e-6).
 * Factors with fewer digits, such as TF32's, are far outside.
 */
export const FP32_TOLERANCE = 1e-4;

/** Largest |Δ| of each output of one fixture. */
export interface GoldenDifferences {
  readonly name: string;
  readonly frames: number;
  readonly latent: number;
  readonly context: number;
  /** Only when the model predicts. */
  readonly prediction?: number;
}

/**
 * Streams one fixture through an engine that holds its weights.
 *
 * @param chunks lengths in samples of the pieces of audio (default: all at once)
 * @throws {RangeError} when the number of frames differs from PyTorch's
 */
export async function goldenDifferences(
  engine: Engine,
  golden: FeatureCase,
  chunks: readonly number[] = [],
): Promise<GoldenDifferences> {
  const { dims } = engine.layout;
  const features = await streamWhole(engine, fixtureSamples(golden.wav, golden), chunks);
  const differences = featureDifferences(golden, { ...features, dims });
  if (dims.steps === 0) return differences;
  const arrays = readGolden(golden.file);
  const predicted = indices(arrays.get("prediction_frames"));
  const hidden = Float32Array.from(pick(features.hidden, { width: dims.context, rows: predicted }));
  const prediction = Array.from(arrays.get("prediction")!.data, Number);
  return {
    ...differences,
    prediction: maxDifference(await engine.predict(hidden), prediction),
  };
}

/**
 * The same of latents and contexts that came from elsewhere.
 *
 * @param features `latent` `[frames, Z]`, `context` `[frames, C]`
 * @throws {RangeError} when the number of frames differs from PyTorch's
 */
export function featureDifferences(
  golden: FeatureCase,
  { frames, dims, ...features }: {
    frames: number;
    latent: ArrayLike<number>;
    context: ArrayLike<number>;
    dims: { readonly latent: number; readonly context: number };
  },
): GoldenDifferences {
  if (frames !== golden.frames) {
    throw new RangeError(`${golden.name}: ${frames} frames, PyTorch has ${golden.frames}`);
  }
  const arrays = readGolden(golden.file);
  const numbers = (name: string) => Array.from(arrays.get(name)!.data, Number);
  const rows = indices(arrays.get("full_frames"));
  const output = (name: "latent" | "context") => {
    const width = dims[name];
    const columns = maxDifference(
      pick(features[name], { width, columns: indices(arrays.get(`${name}_channels`)) }),
      numbers(name),
    );
    if (!arrays.has(`${name}_full`)) return columns;
    return Math.max(
      columns,
      maxDifference(pick(features[name], { width, rows }), numbers(`${name}_full`)),
    );
  };
  return { name: golden.name, frames, latent: output("latent"), context: output("context") };
}

/** The largest difference of all. */
export function largestDifference(all: readonly GoldenDifferences[]): number {
  return Math.max(
    ...all.flatMap(({ latent, context, prediction = 0 }) => [latent, context, prediction]),
  );
}
