/**
 * Where sessions wait outside of their process: sealed records under a name, fenced by an epoch. A
 * store sees neither audio nor keys nor tokens.
 */

/** A change of one session. The store carries it out as a whole, or not at all. */
export interface Put {
  /** Name of the session. */
  readonly id: string;
  /** The writer's; the store refuses one that a later claim has overtaken. */
  readonly epoch: number;
  /** The session ends when nothing renews it for so long. */
  readonly ttlMs: number;
  /** Everything stored of the session gives way to this. */
  readonly replace?: boolean;
  /** Number of the oldest record that is still needed. */
  readonly from: number;
  /** The next record, and its number: one more than the last one's. Without one, it only renews. */
  readonly record?: { readonly seq: number; readonly sealed: Uint8Array };
  /** The only tokens from now on: hash → sealed key of the records. */
  readonly tokens?: ReadonlyMap<string, Uint8Array>;
}

/**
 * What became of a {@linkcode Put}: `fenced` when another server claimed the session; `missing`
 * when the store lacks the session, or records before this one, so that it needs all anew.
 */
export type PutResult = "kept" | "fenced" | "missing";

/** A stored session. */
export interface Stored {
  readonly epoch: number;
  /** The sealed key of its records, by the token that was asked for. */
  readonly wrappedKey: Uint8Array;
  /** Number of its oldest record. */
  readonly from: number;
  /** The records that were read, up to the newest. */
  readonly records: readonly Uint8Array[];
  /** Number of the first of them. */
  readonly first: number;
}

/** How to claim a session: it becomes the claimer's, at `epoch` + 1. */
export interface Claim {
  /** The epoch that the claimer has read; another claim since then makes this one fail. */
  readonly epoch: number;
  /** Hash of the token that gives the right to claim; it stays good until the next `tokens`. */
  readonly hash: string;
  /** Hash of the next token, and the key sealed under it. */
  readonly next: readonly [string, Uint8Array];
  /** Number of the first record that the claimer has not read. */
  readonly after: number;
  readonly ttlMs: number;
}

/**
 * A store of sessions. Methods begin at once: two turns of the event loop after a call, the store's
 * connection has what it was given. Promises reject when the store fails; nothing then holds back
 * the caller but the caller itself.
 */
export interface SessionStore {
  /** Where it is, for logs; without a password. */
  readonly place: string;
  /** Whether changes are written when {@linkcode put} returns. */
  readonly writesAtOnce: boolean;
  /** Carries out changes, in order. */
  put(changes: readonly Put[]): Promise<readonly PutResult[]>;
  /**
   * A session by name and token; undefined where there is none.
   *
   * @param newest reads at most so many records, the newest; all by default
   */
  read(id: string, hash: string, newest?: number): Promise<Stored | undefined>;
  /** Claims a session; gives the records that its former holder has written since. */
  claim(id: string, claim: Claim): Promise<readonly Uint8Array[] | undefined>;
  /**
   * Ends a session. Whoever still holds it is told `fenced` for {@linkcode DROPPED_MS}.
   *
   * @param epoch the caller's; a session that was claimed since stays
   * @returns whether there was one
   */
  drop(id: string, epoch: number): Promise<boolean>;
  /** Resolves once the store answers; begins a new connection where the last one is silent. */
  probe(): Promise<void>;
  /**
   * Deletes what has expired, where the store does not do so by itself.
   *
   * @throws {Error} if nobody else finds what is written, until {@linkcode probe} has resolved
   */
  sweep(): void;
  close(): Promise<void>;
}

/** How long a dropped session's name is remembered. */
export const DROPPED_MS = 5000;
