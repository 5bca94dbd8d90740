/** The server's sessions: which connection has each, and which wait for a resume. */
import { CpcError } from "../errors.ts";
import type { Member } from "./member.ts";
import type { DecoderShelf } from "./session/decoder_shelf.ts";
import { factsOf, type KeptSession, type SessionFacts } from "./session/facts.ts";
import type { ResumeStore } from "./session/resume_store.ts";
import type { Session } from "./session/session.ts";

/** A session, as an administrator sees it: with a socket, or waiting for a resume. */
export type ListedSession =
  | SessionFacts & { readonly state: "live"; readonly lagS: number }
  | KeptSession & { readonly state: "kept" };

interface Attached {
  readonly session: Session;
  readonly member: Member;
}

/** Sessions by their ids. */
export class Sessions {
  readonly #store: ResumeStore;
  readonly #shelf: DecoderShelf;
  readonly #resumeWindowMs: number;
  readonly #nowMs: () => number;
  readonly #attached = new Map<string, Attached>();

  /**
   * @param options `store`, `shelf`: where those that wait are; `nowMs`: a clock in milliseconds
   */
  constructor({ store, shelf, resumeWindowS, nowMs }: {
    store: ResumeStore;
    shelf: DecoderShelf;
    resumeWindowS: number;
    nowMs: () => number;
  }) {
    this.#store = store;
    this.#shelf = shelf;
    this.#resumeWindowMs = resumeWindowS * 1000;
    this.#nowMs = nowMs;
  }

  /** The connection that has a session. */
  memberOf({ id }: Pick<Session, "id">): Member | undefined {
    return this.#attached.get(id)?.member;
  }

  /** A session has a socket; an older one of it is closed. */
  attach(session: Session, member: Member): void {
    const older = this.memberOf(session);
    this.#attached.set(session.id, { session, member });
    older?.fail(resumedElsewhere());
  }

  /** A connection lets go of its session, unless another one has it by now. */
  detach(session: Session, member: Member, { keep }: { keep: boolean }): void {
    if (this.memberOf(session) !== member) return;
    this.#attached.delete(session.id);
    if (keep) this.keep(session, member);
    else {
      this.#store.drop(session);
      this.#shelf.drop(session);
    }
  }

  /** Keeps a session that has no socket, for a while. `client`: who had it. */
  keep(session: Session, client: Pick<Member, "owner" | "address">): void {
    if (this.#attached.has(session.id)) return;
    session.detach();
    const expiresAtMs = this.#nowMs() + this.#resumeWindowMs;
    const name = client.owner || client.address || ""; // without keys, clients differ by address
    this.#shelf.keep(session, { expiresAtMs, client: name });
    this.#store.keep(session, {
      expiresAtMs,
      client: name,
      ...(client.address !== undefined && { address: client.address }),
    });
  }

  /** Another server has taken a session over. */
  lost(session: Session): void {
    this.memberOf(session)?.fail(resumedElsewhere());
  }

  /** Those with a socket, then those that wait for a resume. */
  list(): ListedSession[] {
    const live = [...this.#attached.values()].map(({ session, member }) => ({
      ...factsOf(session, member.address),
      state: "live" as const,
      lagS: member.lateS,
    }));
    const kept = [...this.#store.kept()].filter(({ id }) => !this.#attached.has(id))
      .map((one) => ({ ...one, state: "kept" as const }));
    return [...live, ...kept];
  }

  /**
   * Ends a session for good, with or without a socket, wherever it is stored.
   *
   * @param error what its client is told
   * @returns what it was; undefined if this server has none of this id
   */
  async end(id: string, error: CpcError): Promise<ListedSession["state"] | undefined> {
    const member = this.memberOf({ id });
    if (member) {
      member.fail(error);
      return "live";
    }
    if (!await this.#store.end(id)) return undefined;
    this.#shelf.drop({ id });
    return "kept";
  }

  /** Ends the streams of a model; returns how many. */
  endStreamsOf(model: string, error: CpcError): number {
    const ending = [...this.#attached.values()].filter(({ session }) =>
      session.config.model === model
    );
    for (const { member } of ending) member.fail(error);
    return ending.length;
  }
}

function resumedElsewhere(): CpcError {
  return new CpcError("resumed_elsewhere", "this session was resumed on another connection");
}
