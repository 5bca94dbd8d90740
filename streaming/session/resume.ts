/** Resuming: checks where the client wants to continue, and recomputes what it lacks. */
import { CpcError } from "../../errors.ts";
import type { EngineStream } from "../../inference/engine_stream.ts";
import type { Checkpoint } from "../../inference/messages.ts";
import { wantOf } from "../../inference/want.ts";
import type { StreamQuery } from "../protocol/query.ts";
import type { Selection } from "../protocol/selection.ts";
import type { Session } from "./session.ts";

/**
 * Recomputes frames from a checkpoint, each as it was asked for then.
 *
 * @param options `onSelection`: receives each selection with its first frame, before any of its
 *   frames
 */
export async function replay(
  session: Session,
  { stream, from, onSelection }: {
    stream: EngineStream;
    from: Checkpoint;
    onSelection: (selection: Selection, fromFrame: number) => void;
  },
): Promise<void> {
  const { hopSamples, leadSamples, lookaheadSamples } = session.layout.plan;
  const audio = session.history.audioSince(from); // [n, streams]
  const slice = (begin: number, end = Infinity) =>
    audio.slice(begin * session.streams, end * session.streams);
  const start = Math.max(0, from.hopsTaken * hopSamples - leadSamples);
  let at = 0;
  for (const { fromFrame, selection } of session.selectionsFrom(session.history.frameOf(from))) {
    // it only gives frames before this one
    const known = fromFrame === 0 ? 0 : (fromFrame - 1) * hopSamples + lookaheadSamples - start;
    if (known > at) {
      stream.push(slice(at, known));
      at = known;
      await stream.drained();
    }
    stream.update(wantOf(selection));
    onSelection(selection, fromFrame);
  }
  stream.push(slice(at));
  await stream.drained();
}

/**
 * Checks the options that a client sends with its token.
 *
 * @param options `outlives`: the session comes from a store that several servers share
 * @throws {CpcError} if the options differ from the session's, or the client's position is
 *   impossible
 */
export function checkResume(
  session: Session,
  { query, received, outlives }: { query: StreamQuery; received: number; outlives: boolean },
): void {
  const { resume: _, received: __, ...options } = query;
  for (const [name, value] of Object.entries(options)) {
    const inForce = Object.entries(session.configAt(received)).find(([key]) => key === name)?.[1];
    const [asked, has] = [value, inForce].map((x) =>
      JSON.stringify(Array.isArray(x) ? x.toSorted() : x)
    );
    if (asked !== has) {
      throw new CpcError(
        "invalid_option",
        `option ${name}: a resumed session keeps its configuration, ${has}; got ${asked}`,
        {
          param: name,
        },
      );
    }
  }
  // after a reset, the client may count frames of the segment before
  if (received > session.frames && outlives && session.segment === 0) {
    const why =
      `the store has lost the end of the session: it knows ${session.frames} frames of this ` +
      `segment, got received=${received}; begin a new stream`;
    throw new CpcError("unknown_resume_token", why, { param: "received" });
  }
  if (received > session.frames) {
    throw new CpcError(
      "invalid_option",
      `option received: this segment has ${session.frames} frames, got ${received}`,
      {
        param: "received",
      },
    );
  }
  if (received < session.firstFrame) {
    const why = `the session's history begins at frame ${session.firstFrame}, too late for ` +
      `received=${received}; begin a new stream`;
    throw new CpcError("unknown_resume_token", why, { param: "received" });
  }
}
