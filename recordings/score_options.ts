/** Options of `POST /v1/score`, and the bounds of its batches. */
import { z } from "zod";
import { MAX_SEED } from "../model/seeded.ts";
import { modelOption, wholeNumber } from "../options.ts";

/** Bounds of a batch: the work grows with the square of its windows, the memory with its frames. */
export const SCORE_LIMITS = {
  /** Most windows of one batch. */
  windows: 512,
  /** Longest window, in samples. */
  windowSamples: 160_000,
  /** Most predictions of a batch with `times=all`, as floats (windows · frames · K · Z). */
  allFloats: 64 * 1024 * 1024,
} as const;

/** The options, as query, form fields or JSON members. */
export const scoreOptionsSchema = z.strictObject({
  model: modelOption,
  window: wholeNumber(1, SCORE_LIMITS.windowSamples).default(20_480).meta({
    description: "samples at 16 kHz",
  }),
  seed: wholeNumber(0, MAX_SEED).default(0).meta({ description: "draws t" }),
  t: wholeNumber(0, SCORE_LIMITS.windowSamples).optional().meta({
    description: "this frame instead of a random one",
  }),
  times: z.enum(["one", "all"]).default("one"),
}).meta({ id: "ScoreOptions" });
/** Parsed {@linkcode scoreOptionsSchema}. */
export type ScoreOptions = z.infer<typeof scoreOptionsSchema>;
/** The options that choose windows and frames. */
export type BatchOptions = Omit<ScoreOptions, "model">;
