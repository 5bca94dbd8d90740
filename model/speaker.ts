/** What a weights folder says about telling speakers apart: its `speaker.json`. */
import { join } from "node:path";
import { z } from "zod";
import { CpcError } from "../errors.ts";

const share = z.number().min(0).max(1);

/** Schema of `speaker.json`, which `deno task speaker` writes. */
export const speakerSchema = z.strictObject({
  features: z.string().regex(/^[0-9a-f]{64}$/, "takes the sha256 of a model.safetensors"),
  threshold: z.number().min(-1).max(1),
  seconds: z.number().positive(),
  calibration: z.array(z.strictObject({
    source: z.string(),
    seconds: z.number().positive(),
    speakers: z.int(),
    clips: z.int(),
    pairs: z.int(),
    equal_error_rate: share,
    interval: z.tuple([share, share]).optional(),
    false_accepts: share,
    misses: share,
  })),
});
/** From which cosine of pooled contexts on two recordings count as one speaker's, and why. */
export type SpeakerFile = z.infer<typeof speakerSchema>;

/** Its name in a weights folder. */
export const SPEAKER_FILE = "speaker.json";

/**
 * Reads a folder's `speaker.json`.
 *
 * @returns undefined if there is none
 * @throws {CpcError} `weights_invalid`, naming the member at fault
 */
export async function readSpeaker(folder: string): Promise<SpeakerFile | undefined> {
  const file = join(folder, SPEAKER_FILE);
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new CpcError("weights_invalid", `cannot read ${file}: ${(error as Error).message}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new CpcError("weights_invalid", `${file} is not JSON: ${(error as Error).message}`);
  }
  const parsed = speakerSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new CpcError(
    "weights_invalid",
    `${file} is no calibration: ${z.prettifyError(parsed.error).replaceAll("\n", " ")}`,
  );
}

/**
 * The cosine of two vectors, in float64; NaN if one is zero.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { cosine } from "./speaker.ts";
 *
 * assert.equal(cosine([1, 0], [0, 2]), 0);
 * assert.equal(cosine([3, 4], [6, 8]), 1);
 * ```
 */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [product, ofA, ofB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]!, b[i]!];
    product += x * y;
    ofA += x * x;
    ofB += y * y;
  }
  return product / Math.sqrt(ofA) / Math.sqrt(ofB);
}
