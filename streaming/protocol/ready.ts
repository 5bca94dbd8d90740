/** What a stream is, as its connection tells it and reckons with it. */
import { MODEL_SAMPLE_RATE } from "../../model/architecture.ts";
import type { FrameShape } from "./frames.ts";
import { type StreamLimits, toldLimits } from "./limits.ts";
import type { Want } from "../../inference/messages.ts";
import { type ServerMessage } from "./messages.ts";
import type { Session } from "../session/session.ts";

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
