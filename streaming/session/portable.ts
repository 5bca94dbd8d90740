/**
 * A session as a value: a row of records, each with what is new since the one before. Any server
 * with the same weights, engine and precision continues from them bit by bit.
 */
import type { ModelLayout } from "../../model/engine.ts";
import type { HeadFile } from "../../model/heads/spec.ts";
import type { Identity, SessionRecord } from "./packing.ts";
import { Session } from "./session.ts";

/**
 * What is new in a session.
 *
 * @param since `start`: first sample (at 16 kHz) that was not recorded; `checkpoints`, `pieces`,
 *   `states` and `identity`: those to be recorded
 */
export function record(
  session: Session,
  { pieces = new Map(), states = [], ...news }:
    & Omit<SessionRecord, "position" | "audio" | "pieces" | "states">
    & Partial<Pick<SessionRecord, "pieces" | "states">>,
): SessionRecord {
  const audio = session.history.compactAudioFrom(news.start);
  return { position: session.position, audio, ...news, pieces, states };
}

/** The identity that holds after the last of the records; undefined if none has one. */
export function identityOf(records: readonly SessionRecord[]): Identity | undefined {
  return records.findLast(({ identity }) => identity)?.identity;
}

/**
 * The session that was recorded.
 *
 * @param records without a gap
 * @param options `openedAtMs`: when it began, by this process's clock
 * @throws {TypeError} if they do not make a session
 */
export function restoreSession(
  records: readonly SessionRecord[],
  { identity, layout, heads, openedAtMs }: {
    identity: Identity;
    layout: ModelLayout;
    heads?: readonly HeadFile[];
    openedAtMs: number;
  },
): Session {
  const { id, owner, config } = identity;
  const session = new Session(config, { id, owner, layout, heads, nowMs: openedAtMs });
  const start = records[0]?.start ?? 0;
  const { history, streams } = session;
  const checkpoints = records.flatMap((one) => one.checkpoints).filter((checkpoint) => {
    const { hopsTaken, state, score } = checkpoint;
    return history.sampleOf(checkpoint) >= start &&
      state?.length === (hopsTaken === 0 ? undefined : streams * layout.stateFloats) &&
      (score === undefined || score.length === streams);
  });
  const last = records.at(-1);
  if (!last || checkpoints.length === 0) throw new TypeError("the session has no beginning");
  history.restart({ checkpoints, start });
  for (const one of records) {
    if (one.start !== history.endSample) throw new TypeError("the session has a gap");
    history.append(one.audio);
  }
  session.restore(last.position, identity.selections);
  return session;
}

/**
 * Continues a restored session with what was recorded since.
 *
 * @returns whether that was possible: it was audio alone
 */
export function follow(session: Session, later: readonly SessionRecord[]): boolean {
  const { segment } = session;
  for (const { position, start, audio, identity } of later) {
    const { history } = session;
    const selected = identity && latestOf(identity) !== latestOf(session);
    if (position.segment !== segment || start !== history.endSample || selected) return false;
    history.append(audio);
    session.restore(position);
  }
  return true;
}

/** The latest selection as text, the same for two that were read from records alike. */
function latestOf({ selections }: Pick<Identity, "selections">): string {
  return JSON.stringify(selections.at(-1));
}
