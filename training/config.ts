/**
 * What a training run is: its model, data, batches, objective, optimizer. `docs/training.md`
 * explains each member.
 */
import { z } from "zod";
import { CpcError } from "../errors.ts";
import { modelConfigSchema } from "../model/architecture.ts";
import { MAX_SEED } from "../model/seeded.ts";

const range = (bound: z.ZodNumber) =>
  z.tuple([bound, bound]).refine(([low, high]) => low <= high, {
    error: "the lower bound comes first",
  });

/** Speeds come in twentieths, so that few resampling filters are needed. */
const SPEEDS_OF_ONE = 20;

/**
 * The playback speeds of windows, from the bounds of `augment.speed`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { speedsOf } from "./config.ts";
 *
 * assert.deepEqual(speedsOf([0.9, 1.1]), [0.9, 0.95, 1, 1.05, 1.1]);
 * ```
 */
export function speedsOf([slowest, fastest]: readonly [number, number]): number[] {
  const [first, last] = [
    Math.ceil(slowest * SPEEDS_OF_ONE - 1e-9),
    Math.floor(fastest * SPEEDS_OF_ONE + 1e-9),
  ];
  return Array.from(
    { length: Math.max(0, last - first + 1) },
    (_, i) => (first + i) / SPEEDS_OF_ONE,
  );
}

/** The schema of a training configuration. */
export const trainingConfigSchema = z.strictObject({
  model: modelConfigSchema,
  seed: z.int().min(0).max(MAX_SEED).default(1),
  data: z.strictObject({
    /**
     * Share of the windows drawn from each source; unnamed sources are left out. By default, shares
     * follow the hours.
     */
    weights: z.record(z.string(), z.number().positive()).refine(
      (weights) => Object.keys(weights).length > 0,
      {
        error: "name at least one source, or leave the member out",
      },
    ).optional(),
  }).prefault({}),
  batch: z.strictObject({
    /** Voices in a batch: speakers, or recordings whose speaker is not known. */
    voices: z.int().min(1).max(256).default(8),
    windows_per_voice: z.int().min(1).max(256).default(1),
    window_samples: z.int().min(1).max(16_000 * 60).default(20_480),
  }).prefault({}),
  negatives: z.strictObject({
    /** Drawn from all frames of the batch, the same for all positions. */
    batch: z.int().min(0).max(4096).default(128),
    /** Drawn from the frames of the same voice. */
    voice: z.int().min(0).max(4096).default(0),
  }).prefault({}).refine(({ batch, voice }) => batch + voice > 0, {
    error: "there must be some negatives",
  }),
  augment: z.strictObject({
    /**
     * RMS level to which recordings are brought, in dB of full scale, and how far a window's gain
     * may vary.
     */
    level_db: z.number().min(-60).max(0).default(-24),
    gain_db: z.number().min(0).max(40).default(8),
    /** Playback speed, which changes pitch too: the multiples of 0.05 in this range. */
    speed: range(z.number().min(0.5).max(2)).refine((bounds) => speedsOf(bounds).length > 0, {
      error: "there is no multiple of 0.05 between the bounds",
    }).default([1, 1]),
    /** Semitones by which a window's pitch varies at unchanged tempo. */
    pitch_semitones: range(z.number().min(-12).max(12)).optional(),
    /** The same, only for what the context hears. Doubles the encoder's work. */
    past_pitch_semitones: range(z.number().min(-12).max(12)).optional(),
    /**
     * Noise added to what the context hears (not to what is predicted), as a signal-to-noise ratio
     * in dB. Doubles the encoder's work.
     */
    past_noise_snr_db: range(z.number().min(-10).max(80)).optional(),
  }).prefault({}),
  /**
   * What predicts during training. The model's own linear predictors learn beside a head without
   * moving the rest. By default (`linear`) they predict.
   */
  head: z.enum(["linear", "transformer"]).optional(),
  optimizer: z.strictObject({
    /** Adam's peak learning rate. */
    rate: z.number().positive().max(1).default(4e-4),
    warmup_steps: z.int().min(0).default(200),
    /** Steps of the whole run: cosine from the peak to `final_share` of it. */
    steps: z.int().min(1),
    final_share: z.number().min(0).max(1).default(0.02),
    beta1: z.number().min(0).max(0.9999).default(0.9),
    beta2: z.number().min(0).max(0.99999).default(0.999),
    /** Largest norm of all gradients together. */
    clip: z.number().positive().default(5),
  }),
  /**
   * Decay of the running average of the weights, which is measured and exported; 0 exports the
   * weights themselves.
   */
  average: z.number().min(0).max(0.99999).default(0.999),
  dev: z.strictObject({
    windows: z.int().min(2).max(4096).default(32),
    negatives: z.int().min(1).max(4096).default(128),
    sources: z.array(z.string()).min(1).optional(),
    /** Seed of the windows and their negatives; runs with other seeds stay comparable. */
    seed: z.int().min(0).max(MAX_SEED).default(1),
    every_steps: z.int().min(1).default(200),
  }).prefault({}),
}).refine(({ model }) => model.predictors !== null, {
  error: "the model needs predictors to be trained",
  path: ["model"],
})
  .refine(({ model, head }) => !(model.reverse && head === "transformer"), {
    error: "a transformer head is for models without a reversed network",
    path: ["head"],
  }).refine(
    ({ augment, batch }) =>
      !(augment.pitch_semitones || augment.past_pitch_semitones) || batch.window_samples >= 400,
    {
      error: "a window whose pitch varies needs at least 400 samples",
      path: ["batch", "window_samples"],
    },
  );

/** A parsed training configuration. */
export type TrainingConfig = z.infer<typeof trainingConfigSchema>;

/**
 * Parses a training configuration. @throws {CpcError} `invalid_option`, naming the member at fault
 */
export function parseTrainingConfig(text: string, name: string): TrainingConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new CpcError("invalid_option", `${name} is not JSON: ${(error as Error).message}`);
  }
  const config = trainingConfigSchema.safeParse(json);
  if (config.success) return config.data;
  throw new CpcError(
    "invalid_option",
    `${name}: ${z.prettifyError(config.error).replaceAll("\n", " ")}`,
  );
}
