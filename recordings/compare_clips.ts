/** Are two recordings by one speaker? The cosine of their pooled contexts, and a decision. */
import { z } from "zod";
import { CpcError } from "../errors.ts";
import type { PoolModel } from "../inference/models.ts";
import type { EnginePool } from "../inference/pool.ts";
import { voiceOf } from "../inference/voice.ts";
import { cosine } from "../model/speaker.ts";
import { modelOption } from "../options.ts";
import type { FramedClip } from "./clips.ts";
import { embedClips, type EmbedOptions } from "./embed_clips.ts";

const numbers = z.preprocess(
  (value) =>
    typeof value === "string" ? value.split(",").map((x) => x.trim() === "" ? NaN : +x) : value,
  z.array(z.number("takes numbers")).max(16_384),
);

/** The options, as query, form fields or JSON members. */
export const compareOptionsSchema = z.strictObject({
  model: modelOption,
  voice: numbers.optional().meta({
    type: "array",
    items: { type: "number" },
    description: "an enrolled voice instead of a second recording: a pooled context of the model",
  }),
}).meta({ id: "CompareOptions" });
/** Parsed {@linkcode compareOptionsSchema}. */
export type CompareOptions = z.infer<typeof compareOptionsSchema>;

/** The result. */
export interface Comparison {
  /** −1 to 1. */
  readonly cosine: number;
  /** Whether the cosine reaches the threshold; null for a model without one. */
  readonly same: boolean | null;
  readonly threshold: number | null;
}

/**
 * Refuses what is no comparison.
 *
 * @param options `files`: how many recordings came
 * @throws {CpcError} `invalid_option` for other than two voices, or a voice that is no context
 */
export function checkComparison(
  { voice }: CompareOptions,
  { weights, layout }: PoolModel,
  { files }: { files: number },
): void {
  if (voice) voiceOf(voice, { dims: layout.dims, model: weights.id });
  const wanted = voice ? 1 : 2;
  if (files === wanted) return;
  const why = voice
    ? `a comparison with an enrolled voice takes one recording, got ${files}`
    : `a comparison takes two recordings, or one and an enrolled voice; got ${files} and no voice`;
  throw new CpcError("invalid_option", why, { param: "input" });
}

/**
 * Compares two recordings, or one with an enrolled voice.
 *
 * @returns the comparison, and the longest wait of a recording at the gate
 * @throws {CpcError} as `embedClips`; `invalid_audio` for a context of zeros, which is like nothing
 */
export async function compareClips(
  pool: EnginePool,
  clips: readonly FramedClip[],
  { voice, ...options }:
    & Pick<EmbedOptions, "model" | "signal" | "gate" | "memory">
    & Pick<CompareOptions, "voice">,
): Promise<{ comparison: Comparison; queueMs: number }> {
  const { embedded, queueMs } = await embedClips(pool, clips, {
    ...options,
    output: ["context"],
    pool: "mean",
  });
  const vectors: ArrayLike<number>[] = voice ? [voice] : [];
  for (const { features: [context] } of embedded) {
    vectors.push(...await Array.fromAsync(context!.read())); // one vector of each
  }
  const [a, b] = vectors as [ArrayLike<number>, ArrayLike<number>];
  const alike = cosine(a, b);
  if (Number.isNaN(alike)) {
    throw new CpcError(
      "invalid_audio",
      "a recording's pooled context is zero: it has no direction",
    );
  }
  const threshold = options.model.weights.speaker?.threshold ?? null;
  const same = threshold === null ? null : alike >= threshold;
  return { comparison: { cosine: alike, same, threshold }, queueMs };
}
