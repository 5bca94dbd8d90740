/** What may be told of a session: neither its audio nor its tokens. */
import type { Session } from "./session.ts";

/** A session, as an administrator sees it. */
export interface SessionFacts {
  readonly id: string;
  /** Name of its key; "" without one. */
  readonly owner: string;
  readonly model: string;
  readonly encoding: string;
  /** When it began, by the hub's clock. */
  readonly openedAtMs: number;
  /** Seconds of audio heard in its current segment. */
  readonly audioS: number;
  /** Its client's; undefined where it is not known. */
  readonly address?: string;
}

/** One that waits for a resume. */
export interface KeptSession extends SessionFacts {
  /** When it ends, by the hub's clock. */
  readonly expiresAtMs: number;
}

/** What may be told of a session. */
export function factsOf(
  { id, owner, config, openedAtMs, samples }: Session,
  address: string | undefined,
): SessionFacts {
  const { model, encoding, sample_rate: rate } = config;
  return { id, owner, model, encoding, openedAtMs, audioS: samples / rate, address };
}
