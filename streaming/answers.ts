/** The server's messages about a stream: `ready`, `updated`, `done`, and why it ends otherwise. */
import type { CpcError } from "../errors.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import type { ToldLimits } from "./protocol/limits.ts";
import type { ServerMessage } from "./protocol/messages.ts";
import type { Selection } from "./protocol/selection.ts";
import type { Session } from "./session/session.ts";
import type { StreamStats } from "./stats.ts";

/**
 * The first message: the configuration in force.
 *
 * @param options `received`: number of frames that a resumed client has; undefined for a new
 *   session
 */
export function readyMessage(session: Session, { token, limits, received }: {
  token: string;
  limits: ToldLimits;
  received?: number;
}): ServerMessage {
  const { plan, dims } = session.layout;
  const { output, steps, voice, ...config } = session.configAt(received ?? 0);
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
    ...(voice && { voice: true }),
    limits,
    ...(received === undefined ? {} : {
      resumed: true,
      samples: session.samples,
      segment: session.segment,
      ...(session.live && { bytes: session.live.bytes }),
    }),
  };
}

/** The selection in force. */
export function updatedMessage({ output, steps, every, voice }: Selection): ServerMessage {
  const heard = voice ? { voice: true as const } : {}; // a voice itself is never told
  return { type: "updated", output: [...output], steps: [...steps], every, ...heard };
}

/**
 * The last message of a stream that was finished.
 *
 * @param options `frames`: number of all
 */
export function doneMessage(
  { samples, config }: Pick<Session, "samples" | "config">,
  { frames, stats }: { frames: number; stats: StreamStats },
): ServerMessage {
  const seconds = samples / config.sample_rate;
  return { type: "done", samples, frames, seconds, stats: stats.summary(seconds) };
}

/** The server stops. `resume`: a token that is good at another one. */
export function drainingMessage(resume: string | undefined): ServerMessage {
  const then = resume
    ? "resume on another one"
    : "and its sessions end with it; begin a new stream";
  const message = `the server is stopping, ${then}`;
  return { type: "warning", code: "draining", message, ...(resume && { resume }) };
}

/** Why the stream ends. `request`: id of its handshake, which browsers see nowhere else. */
export function errorMessage(
  { code, message, retryable, retryAfterMs, param }: CpcError,
  request?: string,
): ServerMessage {
  return {
    type: "error",
    code,
    message,
    fatal: true,
    retryable,
    ...(retryAfterMs === undefined ? {} : { retry_after_ms: Math.round(retryAfterMs) }),
    ...(param === undefined ? {} : { param }),
    ...(request === undefined ? {} : { request }),
  };
}
