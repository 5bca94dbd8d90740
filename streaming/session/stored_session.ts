/** A session that was read from a store, opened with its client's token. */
import { CpcError } from "../../errors.ts";
import { listen } from "../../inference/listen.ts";
import type { Piece } from "../../inference/snapshot.ts";
import type { ModelLayout } from "../../model/engine.ts";
import type { HeadFile } from "../../model/heads/spec.ts";
import type { Stored } from "../../stores/store.ts";
import { HeldSession, statesOf } from "./held_session.ts";
import { type Identity, OtherVersion, type SessionRecord, unpack } from "./packing.ts";
import { identityOf, restoreSession } from "./portable.ts";
import { unknownToken } from "./resume_store.ts";
import { type TokenParts, unseal } from "./seal.ts";
import type { Session } from "./session.ts";

/** The layout, heads and fingerprint of a model; undefined for one that this server lacks. */
export type ModelOf = (id: string) =>
  | { layout: ModelLayout; heads?: readonly HeadFile[]; fingerprint: string }
  | undefined;

/** Records that are opened between two turns of the event loop: a few milliseconds' work. */
const OPENED_AT_ONCE = 100;

/** A session as it is stored, and how to go on with it. */
export interface StoredSession {
  readonly session: Session;
  readonly stored: Stored;
  /** Those that the resume needs: from number {@linkcode first} to the newest. */
  readonly records: readonly SessionRecord[];
  readonly first: number;
  readonly identity: Identity;
  readonly dataKey: Uint8Array;
  /** Opens a later record; they must come in order, since each may need what others hold. */
  readonly open: (sealed: Uint8Array, seq: number) => SessionRecord;
}

/**
 * Opens a stored session: the records from the latest state before a frame on. A minute of audio is
 * thousands of records, and most resumes need those of the last seconds.
 *
 * @param options `received`: the frame from which it will be continued; `owner`: name of the key;
 *   `nowMs`: by this process's clock
 * @returns undefined if it needs older records than those that were read
 * @throws {CpcError} `unknown_resume_token` with the reason: it is another key's, damaged, of
 *   another state version, or of a model that this server has not or computes in another way
 */
export async function openStored(
  stored: Stored,
  { parts, received, owner, model: modelOf, nowMs }: {
    parts: TokenParts;
    received: number;
    owner: string;
    model: ModelOf;
    nowMs: number;
  },
): Promise<StoredSession | undefined> {
  const { dataKey, unsealed, open } = opener(parts, stored);
  const first = await firstNeeded(stored, { received, unsealed });
  if (first < stored.first) return undefined;
  const records: SessionRecord[] = [];
  for (let i = first - stored.first; i < stored.records.length; i++) {
    records.push(open(stored.records[i]!, stored.first + i));
    if (records.length % OPENED_AT_ONCE === 0) await listen(1);
  }
  const identity = identityOf(records);
  if (!identity || identity.owner !== owner) throw unknownToken();
  const model = modelOf(identity.config.model);
  if (model?.fingerprint !== identity.fingerprint) {
    const why = model
      ? `the session was computed with other weights of ${identity.config.model}, or another ` +
        "engine or precision, than this server has; begin a new stream"
      : `this server lacks the session's model ${identity.config.model}; begin a new stream`;
    throw new CpcError("unknown_resume_token", why, { param: "resume" });
  }
  const session = orDamaged(() =>
    restoreSession(records, {
      identity,
      layout: model.layout,
      heads: model.heads,
      openedAtMs: nowMs - (Date.now() - identity.openedAtMs),
    })
  );
  return { session, stored, records, first, identity, dataKey, open };
}

/** The number of the oldest record that a resume needs: the newest ones say so. */
async function firstNeeded(
  { from, first, records }: Stored,
  { received, unsealed }: {
    received: number;
    unsealed: (sealed: Uint8Array, seq: number) => Uint8Array;
  },
): Promise<number> {
  for (let i = records.length - 1; i >= 0; i--) {
    const newest = orDamaged(() => unpack(unsealed(records[i]!, first + i)));
    const states = statesOf([newest], from);
    if (states.length > 0) return states.findLast(({ frame }) => frame <= received)?.from ?? from;
    if ((records.length - i) % OPENED_AT_ONCE === 0) await listen(1);
  }
  return from;
}

function opener(parts: TokenParts, { wrappedKey }: Stored) {
  const dataKey = orDamaged(() => unseal(parts.key, parts.id, wrappedKey));
  const known = new Map<number, Piece>();
  const unsealed = (sealed: Uint8Array, seq: number): Uint8Array =>
    unseal(dataKey, HeldSession.nameOfRecord(parts.id, seq), sealed);
  const open = (sealed: Uint8Array, seq: number): SessionRecord =>
    orDamaged(() => unpack(unsealed(sealed, seq), known));
  return { dataKey, unsealed, open };
}

function orDamaged<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const what = cause instanceof OtherVersion ? `of ${cause.message}` : "damaged";
    const why = `the stored session is ${what}; begin a new stream`;
    throw new CpcError("unknown_resume_token", why, { param: "resume", cause });
  }
}
