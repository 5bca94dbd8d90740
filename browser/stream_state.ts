/** A stream as a value: what a server's store would hold (`streaming/session/portable.ts`). */
import { z } from "zod";
import type { StreamState } from "../client/engine_messages.ts";
import { CpcError } from "../errors.ts";
import type { Checkpoint } from "../inference/messages.ts";
import type { ModelLayout } from "../model/engine.ts";
import type { HeadFile } from "../model/heads/spec.ts";
import type { SessionRecord } from "../streaming/session/packing.ts";
import { record, restoreSession } from "../streaming/session/portable.ts";
import { checkResume } from "../streaming/session/resume.ts";
import type { Session } from "../streaming/session/session.ts";
import type { StreamQuery } from "../streaming/protocol/query.ts";

const stateSchema = z.object({
  version: z.literal(1),
  weights: z.string(),
  frames: z.int().min(0),
  session: z.custom<SessionRecord>((value) => typeof value === "object" && value !== null),
});

/**
 * What it takes to continue a stream: its newest checkpoint, and the audio since.
 *
 * @param options `weights`: their version
 */
export function stateOf(session: Session, { weights }: { weights: string }): StreamState {
  const { history, frames } = session;
  const from = history.before(frames)!; // history begins before the frames of its audio
  const { id, owner, config } = session;
  const identity = {
    id,
    owner,
    config,
    selections: session.selectionsFrom(history.frameOf(from)),
    openedAtMs: Date.now(),
    fingerprint: weights,
  };
  const start = history.sampleOf(from);
  return {
    version: 1,
    weights,
    frames,
    session: record(session, { start, checkpoints: [from], identity }),
  };
}

/**
 * The session of a state, and where it continues.
 *
 * @param options `query`: options that the page gave beside it; `version`: of the weights
 * @throws {CpcError} `invalid_option` if it is no state, or one of other weights or options
 */
export function restoredSession(
  state: unknown,
  { query, version, ...at }: {
    query: StreamQuery;
    version: string;
    layout: ModelLayout;
    heads?: readonly HeadFile[];
    nowMs: number;
  },
): { session: Session; from: Checkpoint; received: number } {
  const refuse = (why: string, cause?: unknown) =>
    new CpcError("invalid_option", `option state: ${why}`, { param: "state", cause });
  const read = stateSchema.safeParse(state);
  if (!read.success) throw refuse("it is not what save() gave");
  const { weights, frames: received, session: saved } = read.data;
  if (weights !== version) {
    throw refuse("it was saved with other weights than the model has now; begin a new stream");
  }
  let session: Session;
  try {
    const { identity } = saved;
    if (!identity) throw new TypeError("it has no identity");
    session = restoreSession([saved], { ...at, identity, openedAtMs: at.nowMs });
  } catch (cause) {
    throw refuse("it is not what save() gave, or of another version of this library", cause);
  }
  checkResume(session, { query, received, outlives: false });
  const from = session.history.before(received);
  if (!from) throw refuse("it lacks the audio before its last frame");
  return { session, from, received };
}
