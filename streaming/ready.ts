/** What a stream is, as its connection tells it and reckons with it. */
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import type { FrameShape } from "./frame_codec.ts";
import { type StreamLimits, toldLimits } from "./limits.ts";
import type { Want } from "./messages.ts";
import { type ServerMessage } from "./protocol.ts";
import { wantOf } from "./selection.ts";
import type { Session } from "./session.ts";

/** What frames of queued audio may become, in times of the outgoing bytes. */
const QUEUED_OUTPUT = 4;

/** The first message: the configuration in force at a frame. */
export function readyMessage(session: Session, { token, atFrame, limits, resumed }: {
  token: string;
  atFrame: number;
  limits: StreamLimits;
  resumed: boolean;
}): ServerMessage {
  const { plan, dims } = session.layout;
  const { output, steps, ...config } = session.configAt(atFrame);
  return {
    type: "ready",
    session: session.id,
    resume: token,
    ...config,
    frame_rate: MODEL_SAMPLE_RATE / plan.hopSamples,
    hop: plan.hopSamples,
    lookahead: plan.lookaheadSamples,
    dims: { ...dims },
    output: [...output],
    steps: [...steps],
    limits: toldLimits(limits, session.owner),
    ...(resumed ? { resumed, samples: session.samples, segment: session.segment } : {}),
  };
}

/** How much audio may wait for a stream: less where its frames are large. */
export function queueSamples(session: Session, { backlogS, outputBytes }: StreamLimits): number {
  const { dims, plan } = session.layout;
  const want = wantOf(session.config);
  const floats = (want.context ? dims.context : 0) + (want.latent ? dims.latent : 0) + want.prediction.length * dims.latent +
    want.score.length * 2;
  const bytesPerSample = floats * 4 * (session.config.format === "json" ? 3 : 1) / plan.hopSamples / want.every;
  return Math.max(plan.hopSamples * 4, Math.min(backlogS * MODEL_SAMPLE_RATE, QUEUED_OUTPUT * outputBytes / bytesPerSample));
}

/** What the codec needs to know of a stream's frames. */
export function frameShape({ layout, config }: Session, want: Want): FrameShape {
  const { dims, plan } = layout;
  return {
    contextWidth: dims.context,
    latentWidth: dims.latent,
    frameSeconds: plan.hopSamples / MODEL_SAMPLE_RATE,
    steps: want.prediction.length || want.score.length || config.steps.length,
  };
}
