/** What a server knows of a session that it holds in a shared store: what the store has of it. */
import type { Checkpoint } from "../../inference/messages.ts";
import { MODEL_SAMPLE_RATE } from "../../model/architecture.ts";
import type { Put } from "../../stores/store.ts";
import { HISTORY_SECONDS } from "./history.ts";
import { type Identity, pack, type SessionRecord, type StoredState } from "./packing.ts";
import { record } from "./portable.ts";
import { newKey, seal, type TokenParts } from "./seal.ts";
import type { Session } from "./session.ts";
import { StoredPieces } from "./stored_pieces.ts";

/** Seconds of audio between two states in the store: half as many as in memory, for its traffic. */
const STORED_CHECKPOINT_SECONDS = 4;
/** How far back a session can be resumed that was written anew. */
const ANEW_SECONDS = 15;
/**
 * Bytes of changed selections after which a session is written anew. Records go with the audio that
 * they hold, so those of a client that only ever sends `update` would stay for ever.
 */
const MOST_CHANGED_BYTES = 1024 * 1024;

interface Written {
  readonly seq: number;
  readonly endSample: number;
}

/** A session in a shared store. */
export class HeldSession {
  readonly session: Session;
  readonly id: string;
  readonly epoch: number;
  /** When the store may forget it, by the hub's clock; Infinity while it is connected. */
  expiresAtMs = Infinity;
  /** When it was last written or renewed, by the hub's clock. */
  writtenMs = -Infinity;
  readonly #dataKey: Uint8Array;
  readonly #identity: Omit<Identity, "config" | "selections">;
  /** Hash → sealed key; the newest is last. */
  #tokens: Map<string, Uint8Array>;
  #tokensWritten = false;
  #anew = true;
  #seq = 0;
  #from = 0;
  /** Records in the store, oldest first; of a resumed session, those that were opened. */
  #records: Written[] = [];
  /** States in the store, oldest first. */
  #states: StoredState[] = [];
  #pieces = new StoredPieces();
  #endSample = 0;
  #config?: Session["config"];
  /** Of records with a changed selection. */
  #changedBytes = 0;

  private constructor(session: Session, { id, epoch, dataKey, identity, tokens }: {
    id: string;
    epoch: number;
    dataKey: Uint8Array;
    identity: Omit<Identity, "config" | "selections">;
    tokens: Map<string, Uint8Array>;
  }) {
    this.session = session;
    this.id = id;
    this.epoch = epoch;
    this.#dataKey = dataKey;
    this.#identity = identity;
    this.#tokens = tokens;
  }

  /** A new session. */
  static begin(session: Session, { parts, openedAtMs, fingerprint }: {
    parts: TokenParts;
    openedAtMs: number;
    fingerprint: string;
  }): HeldSession {
    const dataKey = newKey();
    return new HeldSession(session, {
      id: parts.id,
      epoch: 1,
      dataKey,
      identity: { id: session.id, owner: session.owner, openedAtMs, fingerprint },
      tokens: new Map([[parts.hash, seal(parts.key, parts.id, dataKey)]]),
    });
  }

  /**
   * A session that was claimed.
   *
   * @param stored `from`: number of the oldest record in the store; `records`: those that were
   *   opened, up to the newest; `first`: number of the first of them
   */
  static resume(
    session: Session,
    { parts, identity, dataKey, epoch, tokens, from, first, records }: {
      parts: TokenParts;
      identity: Identity;
      dataKey: Uint8Array;
      epoch: number;
      tokens: Map<string, Uint8Array>;
      from: number;
      first: number;
      records: readonly SessionRecord[];
    },
  ): HeldSession {
    const held = new HeldSession(session, { id: parts.id, epoch, dataKey, identity, tokens });
    held.#tokensWritten = true;
    held.#anew = false;
    held.#from = from;
    held.#seq = first + records.length;
    held.#records = records.map(({ start, audio }, i) => ({
      seq: first + i,
      endSample: start + audio.length / session.streams,
    }));
    for (const [i, { pieces }] of records.entries()) held.#pieces.found(pieces, first + i);
    held.#states = [...statesOf(records, from)];
    held.#endSample = session.history.endSample;
    held.#config = session.config;
    const changes = records.filter(isChange);
    const [last] = changes.slice(-1);
    if (last) held.#changedBytes = changes.length * pack(last).length; // about
    return held;
  }

  /** What a record is about, for its seal. */
  static nameOfRecord(id: string, seq: number): string {
    return `${id} ${seq}`;
  }

  /** The client has the newest token. */
  forgetFormerToken(): void {
    this.#tokens = new Map([...this.#tokens].slice(-1));
    this.#tokensWritten = false;
  }

  /** What the store has is void: the next record holds all that a resume needs. */
  beginAnew(): void {
    this.#anew = true;
  }

  /** Whether there is something to be recorded. */
  get hasNews(): boolean {
    const { history, config } = this.session;
    return this.#anew || history.endSample > this.#endSample || config !== this.#config;
  }

  /** The next change for the store: what is new, or just a renewal. */
  put(ttlMs: number): Put {
    if (this.#changedBytes > MOST_CHANGED_BYTES) this.beginAnew();
    const replace = this.#anew;
    const sealed = this.hasNews ? this.#record() : undefined;
    const tokens = this.#tokensWritten && !replace ? undefined : this.#tokens;
    this.#tokensWritten = true;
    return {
      id: this.id,
      epoch: this.epoch,
      ttlMs: Math.max(1, ttlMs),
      from: this.#from,
      ...(replace && { replace }),
      ...(sealed && { record: { seq: this.#seq++, sealed } }),
      ...(tokens && { tokens }),
    };
  }

  #record(): Uint8Array {
    const { session } = this;
    const { history } = session;
    if (this.#anew) this.#startOver();
    const checkpoints = this.#dueStates();
    const changed = this.#config !== session.config || checkpoints.length > 0;
    const { config, selections } = session;
    const [first, ...later] = selections;
    const seq = this.#seq;
    const start = this.#endSample;
    const pieces = checkpoints.length > 0
      ? this.#pieces.add(checkpoints, { seq, since: this.#reliedOn })
      : undefined;
    this.#anew = false;
    this.#config = config;
    this.#endSample = history.endSample;
    this.#records.push({ seq, endSample: this.#endSample });
    this.#states.push(...checkpoints.map((one) => this.#stateOf(one, seq)));
    const next = record(session, {
      start,
      checkpoints,
      ...(pieces && { pieces, states: this.#states }),
      ...(changed && { identity: { ...this.#identity, config, selections: [first, ...later] } }),
    });
    const packed = pack(next, pieces && this.#pieces.names);
    if (isChange(next)) this.#changedBytes += packed.length;
    if (checkpoints.length > 0 || this.#isTooLong) this.#trim();
    return seal(this.#dataKey, HeldSession.nameOfRecord(this.id, seq), packed);
  }

  /** The states that the next record shall hold; few do. */
  #dueStates(): readonly Checkpoint[] {
    const { history } = this.session;
    if (this.#anew) {
      return history.checkpoints.filter((one) => history.sampleOf(one) >= this.#endSample);
    }
    const latest = history.checkpoints.at(-1)!; // there is always one
    const last = this.#states.at(-1)?.sample ?? -Infinity;
    const due = last + STORED_CHECKPOINT_SECONDS * MODEL_SAMPLE_RATE;
    return history.sampleOf(latest) >= due ? [latest] : [];
  }

  #stateOf(checkpoint: Checkpoint, seq: number): StoredState {
    const { history } = this.session;
    const sample = history.sampleOf(checkpoint);
    const audioFrom = this.#records.find(({ endSample }) => endSample > sample)?.seq ?? seq;
    const from = Math.min(seq, audioFrom, this.#pieces.oldestOf(checkpoint, seq));
    return { sample, frame: history.frameOf(checkpoint), seq, from };
  }

  /** The oldest record whose pieces new states may need: older ones will be dropped some day. */
  get #reliedOn(): number {
    const oldest = this.#oldest;
    return this.#records.find(({ endSample }) => endSample > oldest)?.seq ?? this.#seq;
  }

  /** Takes the latest states and the audio since, as far as a resume will need. */
  #startOver(): void {
    const { history } = this.session;
    const samples = history.checkpoints.map((one) => history.sampleOf(one));
    const oldest = history.endSample - ANEW_SECONDS * MODEL_SAMPLE_RATE;
    this.#endSample = samples.findLast((sample) => sample <= oldest) ?? samples[0]!;
    this.#records = [];
    this.#states = [];
    this.#pieces = new StoredPieces();
    this.#changedBytes = 0;
  }

  /** Samples before this one need not be kept. */
  get #oldest(): number {
    return this.#endSample - HISTORY_SECONDS * MODEL_SAMPLE_RATE;
  }

  /** Whether the oldest state is not needed any more. */
  get #isTooLong(): boolean {
    const second = this.#states[1];
    return second !== undefined && second.sample <= this.#oldest;
  }

  /** Forgets records from before the oldest state that {@linkcode HISTORY_SECONDS} asks for. */
  #trim(): void {
    const oldest = this.#oldest;
    const kept = this.#states.findLastIndex(({ sample }) => sample <= oldest);
    this.#states.splice(0, kept); // -1 takes none away
    this.#from = Math.min(...this.#states.map(({ from }) => from));
    const needed = this.#records.findIndex(({ seq }) => seq >= this.#from);
    this.#records.splice(0, needed);
    this.#pieces.dropBefore(this.#from);
  }
}

/** Whether a record is of a changed selection: one with a state is needed anyway. */
function isChange({ identity, checkpoints }: SessionRecord): boolean {
  return identity !== undefined && checkpoints.length === 0;
}

/**
 * The states of a stored session, oldest first.
 *
 * @param records up to the newest, the last one with a state among them
 * @param from number of the oldest record in the store: states that need older ones are gone
 */
export function statesOf(
  records: readonly Pick<SessionRecord, "states">[],
  from: number,
): readonly StoredState[] {
  const { states = [] } = records.findLast(({ states }) => states.length > 0) ?? {};
  return states.filter((one) => one.from >= from);
}
