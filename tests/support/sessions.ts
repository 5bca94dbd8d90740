/** Sessions of streams on the tiny model. */
import { MODEL_SAMPLE_RATE } from "../../model/architecture.ts";
import { modelLayout } from "../../model/engine.ts";
import { Session } from "../../streaming/session/session.ts";
import { tinyConfig } from "./models.ts";

/** Their model's layout. */
export const layout = modelLayout(tinyConfig);

/** A session that has heard nothing. */
export function sessionOf(
  { owner = "anna", encoding = "s16le" as "s16le" | "f32le" | "opus" } = {},
): Session {
  return new Session({
    model: "tiny",
    encoding,
    sample_rate: MODEL_SAMPLE_RATE,
    channels: 1,
    output: ["context"],
    steps: [1],
    every: 1,
    format: "json",
    dtype: "f32",
  }, { owner, layout, nowMs: 0 });
}
