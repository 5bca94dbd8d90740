/** A session that was read from a store, opened with its client's token. */
import { CpcError } from "../../errors.ts";
import type { Piece } from "../../inference/snapshot.ts";
import type { ModelLayout } from "../../model/engine.ts";
import type { HeadFile } from "../../model/heads/spec.ts";
import type { Stored } from "../../stores/store.ts";
import { HeldSession } from "./held_session.ts";
import { type Identity, OtherVersion, type SessionRecord, unpack } from "./packing.ts";
import { identityOf, restoreSession } from "./portable.ts";
import { unknownToken } from "./resume_store.ts";
import { type TokenParts, unseal } from "./seal.ts";
import type { Session } from "./session.ts";

/** The layout, heads and fingerprint of a model; undefined for one that this server lacks. */
export type ModelOf = (id: string) =>
  | { layout: ModelLayout; heads?: readonly HeadFile[]; fingerprint: string }
  | undefined;

/** A session as it is stored, and how to go on with it. */
export interface StoredSession {
  readonly session: Session;
  readonly stored: Stored;
  readonly records: readonly SessionRecord[];
  readonly identity: Identity;
  readonly dataKey: Uint8Array;
  /** Opens record `i`; they must come in order, since later ones need what earlier ones hold. */
  readonly open: (sealed: Uint8Array, i: number) => SessionRecord;
}

/**
 * Opens a stored session.
 *
 * @param options `owner`: name of the key; `nowMs`: by this process's clock
 * @throws {CpcError} `unknown_resume_token` with the reason: it is another key's, damaged, of
 *   another state version, or of a model that this server has not or computes in another way
 */
export function openStored(
  stored: Stored,
  { parts, owner, model: modelOf, nowMs }: {
    parts: TokenParts;
    owner: string;
    model: ModelOf;
    nowMs: number;
  },
): StoredSession {
  const { dataKey, open } = opener(parts, stored);
  const records = stored.records.map(open);
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
  return { session, stored, records, identity, dataKey, open };
}

function opener(parts: TokenParts, { wrappedKey, from }: Stored) {
  const dataKey = orDamaged(() => unseal(parts.key, parts.id, wrappedKey));
  const known = new Map<number, Piece>();
  const open = (sealed: Uint8Array, i: number): SessionRecord =>
    orDamaged(() =>
      unpack(unseal(dataKey, HeldSession.nameOfRecord(parts.id, from + i), sealed), known)
    );
  return { dataKey, open };
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
