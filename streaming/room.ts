/** How much may wait for a stream. */
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import type { StreamLimits } from "./protocol/limits.ts";
import { wantOf } from "../inference/want.ts";
import type { Session } from "./session/session.ts";

/** What frames of queued audio may become, in times of the outgoing bytes. */
const QUEUED_OUTPUT = 4;

/** How much audio may wait for a stream: less where its frames are large. */
export function queueSamples(
  session: Session,
  { backlogLimitS, maxOutputBytes }: StreamLimits,
): number {
  const { dims, plan } = session.layout;
  const want = wantOf(session.config);
  const floats = (want.context ? dims.context : 0) + (want.latent ? dims.latent : 0) +
    want.prediction.length * dims.latent +
    want.score.length * 2;
  const bytesPerSample = floats * 4 * (session.config.format === "json" ? 3 : 1) / plan.hopSamples /
    want.every;
  return Math.max(
    plan.hopSamples * 4,
    Math.min(backlogLimitS * MODEL_SAMPLE_RATE, QUEUED_OUTPUT * maxOutputBytes / bytesPerSample),
  );
}
