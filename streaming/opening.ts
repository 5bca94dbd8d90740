/**
 * Gives a socket its session and its stream in the model workers: new ones, or those of a resume
 * token.
 */
import { isOpus } from "../audio/stream_encodings.ts";
import { CpcError, toCpcError } from "../errors.ts";
import type { EngineStream } from "../inference/engine_stream.ts";
import type { Checkpoint, FrameBlock, Want } from "../inference/messages.ts";
import { wantOf } from "../inference/want.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import { updatedMessage } from "./answers.ts";
import type { Hub } from "./hub.ts";
import type { Member } from "./member.ts";
import type { Outgoing } from "./outgoing.ts";
import { modelStreams, streamConfig, type StreamQuery } from "./protocol/query.ts";
import { checkResume, replay } from "./session/resume.ts";
import { checkpointHops, Session } from "./session/session.ts";

/** What a socket has once it is open. */
export interface Opened {
  readonly session: Session;
  readonly stream: EngineStream;
  /** For the next resume. */
  readonly token: string;
  /** Where a resumed client continues; undefined for a new session. */
  readonly resumed?: {
    /** Number of frames that it has. */
    readonly received: number;
    /** The state from which the frames after them are computed again. */
    readonly from: Checkpoint;
  };
}

/** Who opens the stream, and its callbacks. */
export interface Opener {
  readonly hub: Hub;
  readonly member: Member;
  /** Whether its socket is still there. */
  readonly isThere: () => boolean;
  readonly onFrames: (block: FrameBlock, computeMs: number) => void;
  readonly onError: (error: CpcError) => void;
}

/**
 * Opens or resumes the stream of a query.
 *
 * @returns undefined if the socket has gone meanwhile
 * @throws {CpcError} the reason for a refusal: an option, a bound, the load, the token
 */
export async function open(query: StreamQuery, opener: Opener): Promise<Opened | undefined> {
  const { hub, member, isThere } = opener;
  const { resume: token, channels = 1, split } = query;
  const streams = token === undefined ? modelStreams({ channels, split }) : 1;
  await hub.takePlace(member, { streams, resume: token, isThere });
  if (!isThere()) return undefined;
  if (token === undefined) {
    const begun = await begin(query, opener);
    if (begun) hub.namePlace(member, begun.token);
    return begun;
  }
  const resumed = await resume(query, token, opener);
  if (!resumed || !await hasPlace(resumed, opener)) return undefined;
  hub.namePlace(member, resumed.token);
  return resumed;
}

/** Takes the places of all streams of a resumed session; false if the socket has gone meanwhile. */
async function hasPlace(
  { session, stream }: Opened,
  { hub, member, isThere }: Opener,
): Promise<boolean> {
  const letGo = () => {
    stream.release();
    hub.detach(member, session, { keep: true }); // its former token is good until a pong comes
  };
  try {
    await hub.growPlace(member);
  } catch (error) {
    letGo();
    throw error;
  }
  if (!isThere()) letGo();
  return isThere();
}

/** Computes and sends the frames that a resumed client lacks. */
export async function catchUp(
  { session, stream, resumed }: Opened,
  out: Pick<Outgoing, "firstFrame" | "say">,
): Promise<void> {
  if (!resumed) return;
  const { received, from } = resumed;
  out.firstFrame = received;
  await replay(session, {
    stream,
    from,
    onSelection(selection, fromFrame) { // its answer was lost with the frames before it
      if (fromFrame > received) out.say(updatedMessage(selection));
    },
  });
}

async function begin(query: StreamQuery, opener: Opener): Promise<Opened | undefined> {
  const { hub, member, isThere } = opener;
  if (isResampled(query)) { // to make a filter takes ten milliseconds
    await new Promise<void>((resolve) => hub.rests.rest(resolve));
    if (!isThere()) return undefined;
  }
  const { weights, layout } = hub.pool.model(query.model);
  const config = streamConfig(query, {
    model: weights.id,
    dims: layout.dims,
    heads: weights.heads,
  });
  hub.admit(member, { model: config.model, streams: modelStreams(config) });
  const session = new Session(config, {
    owner: member.owner,
    layout,
    heads: weights.heads,
    nowMs: hub.nowMs(),
  });
  const stream = openStream(session, opener, { want: wantOf(config) });
  const token = hub.store.issue(session);
  hub.sessions.attach(session, member);
  hub.shelf.begin(session);
  await hub.store.given(); // whoever has the token may resume, though this server dies at once
  if (isThere()) return { session, stream, token };
  stream.release();
  hub.detach(member, session, { keep: false }); // its client never had the token
  return undefined;
}

function isResampled(
  { encoding = "s16le", sample_rate: rate = MODEL_SAMPLE_RATE }: StreamQuery,
): boolean {
  return rate !== MODEL_SAMPLE_RATE && !isOpus(encoding);
}

async function resume(
  query: StreamQuery,
  token: string,
  opener: Opener,
): Promise<Opened | undefined> {
  const { hub, member, isThere } = opener;
  const received = query.received ?? 0;
  let accepted: { readonly stream: EngineStream; readonly from: Checkpoint } | undefined;
  try {
    const redeemed = await hub.store.redeem(token, {
      owner: member.owner,
      received,
      accept(session) { // a refusal here leaves the token as it is
        checkResume(session, { query, received, outlives: hub.store.outlives });
        hub.shelf.check(session);
        const from = session.history.before(received);
        if (!isThere() || !from) {
          throw new CpcError(
            "unknown_resume_token",
            "the session's history does not reach back so far",
          );
        }
        if (accepted) accepted.stream.release(); // the session has changed since
        else {
          hub.admit(member, {
            model: session.config.model,
            streams: session.streams,
            session,
          });
        }
        const [{ selection }] = session.selectionsFrom(session.history.frameOf(from));
        const stream = openStream(session, opener, { want: wantOf(selection), restore: from });
        accepted = { stream, from };
      },
    });
    const { session } = redeemed;
    hub.sessions.attach(session, member); // an older socket of the session gets 4409 and lets go
    session.detach();
    if (!isThere() || !accepted) { // its session waits for the next resume
      accepted?.stream.release();
      hub.detach(member, session, { keep: true });
      return undefined;
    }
    const { stream, from } = accepted;
    hub.metrics.resumed("resumed");
    if (!await hasDecoder(session, opener)) {
      stream.release();
      return undefined;
    }
    return { session, stream, token: redeemed.token, resumed: { received, from } };
  } catch (error) {
    hub.metrics.resumed(toCpcError(error).code);
    accepted?.stream.release();
    throw error;
  }
}

/** Gives a resumed session the decoder it had; false if the socket has gone meanwhile. */
async function hasDecoder(session: Session, { hub, member, isThere }: Opener): Promise<boolean> {
  try {
    await hub.shelf.resume(session);
  } catch (error) {
    hub.detach(member, session, { keep: false });
    throw error;
  }
  if (!isThere()) hub.detach(member, session, { keep: true });
  return isThere();
}

function openStream(
  session: Session,
  { hub, onFrames, onError }: Opener,
  { want, restore }: { want: Want; restore?: Checkpoint },
): EngineStream {
  return hub.pool.open({
    model: session.config.model,
    channels: session.streams,
    priority: "live",
    want,
    restore,
    checkpointHops: checkpointHops(session.layout.plan),
    onFrames(block, { checkpoint, computeMs }) {
      if (checkpoint) session.history.add(checkpoint);
      hub.store.beforeFrames(session);
      onFrames(block, computeMs);
    },
    onError,
  });
}
