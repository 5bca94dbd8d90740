/**
 * How much memory one stream takes at the most, connected or kept for a resume. A connection that
 * is split counts as so many.
 */
import { RECENT_SAMPLES } from "../audio/live_decoder.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import { COSTLY_BYTES } from "../inference/checkpoints_apart.ts";
import type { ModelLayout } from "../model/engine.ts";
import { type HeadFile, stateFloatsOf } from "../model/heads/spec.ts";
import { INBOX } from "./inbox.ts";
import type { StreamLimits } from "./protocol/limits.ts";
import { HISTORY_SECONDS } from "./session/history.ts";
import { CHECKPOINT_SECONDS } from "./session/session.ts";

const FLOAT_BYTES = 4;
/** Latents of the past that a live score keeps, in rows; see docs/scoring.md. */
const SCORE_DRAWS = 24;
/** Objects, buffers of the socket, tokens. */
const OVERHEAD_BYTES = 64 * 1024;
/** A decoder of Opus, as measured, and what it keeps for a resume: any stream may have one. */
const OPUS_BYTES = 256 * 1024 + FLOAT_BYTES * RECENT_SAMPLES;

/** Bytes of the heads' states in one stream that asks for all of them. */
function headBytes(heads: readonly HeadFile[]): number {
  return FLOAT_BYTES * heads.reduce((sum, { spec }) => sum + stateFloatsOf(spec), 0);
}

/**
 * Bytes of the heads' states in all checkpoints of a minute, which share what they can. Small
 * states may be new in each. Of large ones, what is new is bounded ({@linkcode COSTLY_BYTES}),
 * beside the newest checkpoint, and the oldest, of which up to a third may be hidden.
 */
function savedHeadBytes(heads: readonly HeadFile[]): number {
  const states = headBytes(heads);
  const intervals = HISTORY_SECONDS / CHECKPOINT_SECONDS;
  return Math.min((intervals + 1) * states, intervals * COSTLY_BYTES + 2.5 * states);
}

/** Bytes of one checkpoint, with a score, without heads. */
function checkpointBytes({ stateFloats, dims }: ModelLayout): number {
  const score = SCORE_DRAWS * dims.latent + dims.steps * dims.context;
  return FLOAT_BYTES * (stateFloats + score);
}

/**
 * Bytes of a session kept without a connection: the audio and the checkpoints that a resume goes
 * back to, and its decoder. Audio of 16 bits at 16 kHz takes half of what is reckoned here.
 */
export function keptSessionBytes(layout: ModelLayout, heads: readonly HeadFile[] = []): number {
  const audio = FLOAT_BYTES * HISTORY_SECONDS * MODEL_SAMPLE_RATE;
  const checkpoints = HISTORY_SECONDS / CHECKPOINT_SECONDS + 1;
  return audio + checkpoints * checkpointBytes(layout) + savedHeadBytes(heads) +
    OPUS_BYTES + OVERHEAD_BYTES;
}

/** Bytes of a connected stream: its session, and what waits on the way in and out. */
export function streamBytes(
  layout: ModelLayout,
  { backlogLimitS, maxMessageBytes, maxOutputBytes }: Pick<
    StreamLimits,
    "backlogLimitS" | "maxMessageBytes" | "maxOutputBytes"
  >,
  heads: readonly HeadFile[] = [],
): number {
  const { steps, latent, context } = layout.dims;
  // a head's state is there twice: as it is, and as it was saved
  const state = FLOAT_BYTES * layout.stateFloats + 2 * headBytes(heads);
  // predictions that wait for their frame, one of each step for each frame to come
  const score = FLOAT_BYTES *
    (steps * (steps + 1) / 2 * latent + SCORE_DRAWS * latent + steps * context);
  const backlog = FLOAT_BYTES * backlogLimitS * MODEL_SAMPLE_RATE;
  const waiting = INBOX.bytes + maxMessageBytes + 2 * maxOutputBytes;
  return keptSessionBytes(layout, heads) + state + score + backlog + waiting;
}
