/** The effect of 8 bits: the recorded fixtures in int8, compared with fp32, at several levels. */
import { type Precision } from "../model/engine.ts";
import type { Weights } from "../model/weights.ts";
import { type Features, streamWhole } from "../conformance/drive.ts";
import { fixtureSamples, relativeDifference } from "../conformance/golden.ts";
import { createEngine } from "../model/engines/create.ts";

const RECORDINGS = [
  "italian_long.wav",
  "italian_short.wav",
  "russian.wav",
  "synthetic_english.wav",
] as const;

/** Differences at one level. */
export interface Int8Row {
  /** Relative to the recordings' own level. */
  readonly decibels: number;
  /** √(Σ(int8 − fp32)² / Σ fp32²) of all latents, contexts, and predictions if there are any. */
  readonly latent: number;
  readonly context: number;
  readonly prediction?: number;
}

/** Compares the features of all recordings, one after the other, one row for each level. */
export async function benchInt8(weights: Weights, levels: readonly number[]): Promise<Int8Row[]> {
  const recordings = RECORDINGS.map((wav) => fixtureSamples(wav));
  const signal = new Float32Array(
    recordings.reduce((length, samples) => length + samples.length, 0),
  );
  recordings.reduce((at, samples) => (signal.set(samples, at), at + samples.length), 0);
  const rows: Int8Row[] = [];
  for (const decibels of levels) {
    const samples = signal.map((x) => x * 10 ** (decibels / 20));
    const [exact, rounded] = [
      await features(weights, samples, "fp32"),
      await features(weights, samples, "int8"),
    ];
    rows.push({
      decibels,
      latent: relativeDifference(rounded.latent, exact.latent),
      context: relativeDifference(rounded.context, exact.context),
      prediction: exact.prediction && relativeDifference(rounded.prediction!, exact.prediction),
    });
  }
  return rows;
}

async function features(
  weights: Weights,
  samples: Float32Array,
  precision: Precision,
): Promise<Features & { readonly prediction?: Float32Array }> {
  const engine = await createEngine("onnx", weights, { device: "cpu", precision, threads: 1 });
  const features = await streamWhole(engine, samples);
  const prediction = weights.config.predictors
    ? (await engine.predict(Float32Array.from(features.hidden))).slice()
    : undefined;
  await engine.dispose();
  return { ...features, prediction };
}
