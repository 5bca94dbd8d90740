/** Plans a score: how many windows the recordings give, and at which frames to score them. */
import { CpcError } from "../errors.ts";
import type { PoolModel } from "../inference/models.ts";
import { minimumSamples, offlineFrames } from "../model/architecture.ts";
import { chooseFrame, scorableFrames } from "../model/objective.ts";
import { seeded } from "../model/seeded.ts";
import { type BatchOptions, SCORE_LIMITS } from "./score_options.ts";

/**
 * Counts the windows of recordings.
 *
 * @param clips with their lengths in samples at 16 kHz
 * @throws {CpcError} `invalid_option` if they do not make a batch
 */
export function countWindows(
  clips: readonly { readonly samples: number }[],
  { window, times }: BatchOptions,
  floatsPerWindow: number,
): number {
  const windows = clips.reduce((sum, { samples }) => sum + Math.floor(samples / window), 0);
  const [least, most] = [2, times === "all" ? mostWindows(floatsPerWindow) : SCORE_LIMITS.windows];
  if (windows >= least && windows <= most) return windows;
  const lengths = clips.slice(0, 8).map(({ samples }) => samples).join(", ") +
    (clips.length > 8 ? ", …" : "");
  throw new CpcError(
    "invalid_option",
    `a batch has ${least} to ${most} windows${
      times === "all" ? " with times=all" : ""
    }; windows of ${window} samples ` +
      `cut from recordings of ${lengths} samples (at 16 kHz) make ${windows}`,
    { param: "window" },
  );
}

/** Most windows of a batch with `times=all`. */
function mostWindows(floatsPerWindow: number): number {
  return Math.max(
    2,
    Math.min(SCORE_LIMITS.windows, Math.floor(SCORE_LIMITS.allFloats / floatsPerWindow)),
  );
}

/**
 * The frames to score at: from `from` up to, but not including, `to`.
 *
 * @throws {CpcError} `invalid_option` for a model without predictors or an impossible t;
 *   `audio_too_short` for a window without a frame to score at
 */
export function framesToScore(
  model: PoolModel,
  { window, seed, t, times }: BatchOptions,
): { from: number; to: number } {
  const { config } = model.weights;
  const { steps } = model.layout.dims;
  if (steps === 0) {
    throw new CpcError("invalid_option", "this model has no predictors, so it cannot be scored", {
      param: "model",
    });
  }
  if (times === "all" && t !== undefined) {
    throw new CpcError("invalid_option", `times=all scores at every frame; leave out t, got ${t}`, {
      param: "t",
    });
  }
  const frames = offlineFrames(config, window);
  if (frames <= steps) {
    // each hop adds one frame
    const least = minimumSamples(config) + steps * model.layout.plan.hopSamples;
    throw new CpcError(
      "audio_too_short",
      `option window must be ${least} samples or more, for ${
        steps + 1
      } frames (one more than the steps predicted), got ${window}`,
      { param: "window" },
    );
  }
  if (times === "all") return { from: 0, to: scorableFrames({ frames, steps }) };
  const chosen = chooseFrame({ frames, steps }, { t, random: seeded(seed) });
  return { from: chosen, to: chosen + 1 };
}
