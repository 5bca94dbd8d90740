/**
 * Sessions in an SQLite file, for servers on one machine. Writes go to the write-ahead log in the
 * system's memory, which outlives a killed process, and never wait for the disk.
 */
import { closeSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { UsageError } from "../errors.ts";
import { prepare, type Statements } from "./sqlite_statements.ts";
import { SqliteSweep } from "./sqlite_sweep.ts";
import {
  type Claim,
  DROPPED_MS,
  type Put,
  type PutResult,
  type SessionStore,
  type Stored,
} from "./store.ts";

/** How long a write waits for another server's. It blocks the thread, so it is short. */
const BUSY_MS = 5;
/** The same in a file of another server, which this one seldom touches. */
const OTHERS_BUSY_MS = 100;
/**
 * How long a claim goes on trying while another server writes, and how often: it blocks nothing.
 */
const CLAIM_MS = 500;
const CLAIM_EVERY_MS = 10;
/** SQLite's code for a file that another connection has locked. */
const SQLITE_BUSY = 5;
/**
 * A renewal may come so much earlier than it would have to, as a share of the session's time: most
 * records then need none, which halves what their transactions write.
 */
const RENEWED_EARLY = 1 / 64;
/** Sessions of which it knows what it has written: many more than a server writes at a time. */
const MOST_KNOWN = 16_384;

interface Row {
  readonly epoch: number;
  readonly first: number;
  readonly next: number;
}

/** All that is stored of a session, as it is. */
export interface SessionRows {
  readonly epoch: number;
  readonly first: number;
  readonly next: number;
  readonly expires: number;
  readonly tokens: readonly { hash: string; wrapped: Uint8Array }[];
  readonly records: readonly { seq: number; sealed: Uint8Array }[];
}

/** A store in a file. */
export class SqliteStore implements SessionStore {
  readonly place: string;
  readonly writesAtOnce = true;
  readonly #db: DatabaseSync;
  readonly #run: Statements;
  readonly #nowMs: () => number;
  readonly #busyMs: number;
  #patient = true;
  /**
   * By session: the record that follows the last one written here. It spares a statement from
   * looking at the table that it writes to, for which SQLite makes a second table.
   */
  readonly #follows = new Map<string, number>();
  readonly #sweep: SqliteSweep;

  /**
   * Opens the file, or makes it (0600).
   *
   * @param options `nowMs`: the time of day, which all servers of a store share (tests bring their
   *   own); `isOwn`: false for a file that another server writes to all the time
   * @throws {UsageError} if it cannot be used
   */
  constructor(
    file: string,
    { nowMs = Date.now, isOwn = true }: { nowMs?: () => number; isOwn?: boolean } = {},
  ) {
    this.place = `sqlite:${file}`;
    this.#nowMs = nowMs;
    this.#busyMs = isOwn ? BUSY_MS : OTHERS_BUSY_MS;
    makePrivate(file);
    try {
      this.#db = new DatabaseSync(file);
      this.#db.exec("PRAGMA busy_timeout = 2000");
      this.#run = prepare(this.#db);
      this.#sweep = new SqliteSweep(this.#db, this.#run, { isDue: isOwn });
      this.#db.exec(`PRAGMA busy_timeout = ${this.#busyMs}`);
    } catch (error) {
      throw new UsageError(`--store ${this.place} cannot be used: ${(error as Error).message}`);
    }
  }

  async put(changes: readonly Put[]): Promise<readonly PutResult[]> {
    const [change] = changes;
    if (changes.length === 1 && change && this.#appendAlone(change)) return ["kept"];
    return await this.#transaction(() =>
      changes.map((change) => this.#append(change) ? "kept" : this.#put(change))
    );
  }

  /** The same without a transaction around it; false too where it failed. */
  #appendAlone(change: Put): boolean {
    try {
      return this.#append(change);
    } catch {
      return false; // then the transaction fails too, and says why
    }
  }

  /**
   * Adds a record to a session that needs nothing else: the one statement also checks that nobody
   * has claimed the session.
   *
   * @returns whether it did
   */
  #append({ id, epoch, ttlMs, replace, from, record, tokens }: Put): boolean {
    if (replace || !record || tokens || this.#follows.get(id) !== record.seq) return false;
    const nowMs = this.#nowMs();
    const expires = Math.ceil(nowMs + ttlMs);
    const least = Math.ceil(expires - ttlMs * RENEWED_EARLY);
    const { seq, sealed } = record;
    const { changes } = this.#run.append.run(id, seq, sealed, epoch, from, nowMs, least, expires);
    if (changes !== 1) return false;
    this.#follows.set(id, seq + 1);
    return true;
  }

  #put({ id, epoch, ttlMs, replace = false, from, record, tokens }: Put): PutResult {
    const row = this.#session(id);
    this.#follows.delete(id);
    if (row && row.epoch > epoch) return "fenced";
    if (!replace && (!row || row.epoch < epoch || record && row.next !== record.seq)) {
      return "missing";
    }
    if (replace) this.#clear(id);
    else if (row && from > row.first) this.#run.trim.run(id, from);
    if (record) this.#run.add.run(id, record.seq, record.sealed);
    const next = record ? record.seq + 1 : row?.next ?? from;
    this.#run.write.run(id, epoch, from, next, Math.ceil(this.#nowMs() + ttlMs));
    if (tokens) {
      this.#run.dropTokens.run(id);
      for (const [hash, wrapped] of tokens) this.#run.token.run(id, hash, wrapped);
    }
    this.#know(id, next);
    return "kept";
  }

  #know(id: string, next: number): void {
    this.#follows.set(id, next);
    const [oldest] = this.#follows.keys();
    if (oldest !== undefined && this.#follows.size > MOST_KNOWN) this.#follows.delete(oldest);
  }

  read(id: string, hash: string, newest = Infinity): Promise<Stored | undefined> {
    return this.#transaction(() => {
      const row = this.#session(id);
      const token = this.#run.wrapped.get(id, hash) as { wrapped: Uint8Array } | undefined;
      if (!row || !token) return undefined;
      const { epoch, first: from, next } = row;
      const first = Math.max(from, next - newest);
      const records = this.#records(id, first);
      return { epoch, from, wrappedKey: token.wrapped, first, records };
    }, this.#run.beginReading);
  }

  claim(
    id: string,
    { epoch, hash, next: [nextHash, wrapped], after, ttlMs }: Claim,
  ): Promise<readonly Uint8Array[] | undefined> {
    return this.#untilFree(() => {
      this.#follows.delete(id); // the next record comes from another holder
      const row = this.#session(id);
      if (row?.epoch !== epoch || !this.#run.wrapped.get(id, hash)) return undefined;
      const expires = Math.ceil(this.#nowMs() + ttlMs);
      this.#run.write.run(id, epoch + 1, row.first, row.next, expires);
      this.#run.dropOtherTokens.run(id, hash);
      this.#run.token.run(id, nextHash, wrapped);
      return this.#records(id, after);
    });
  }

  /** All of a session; undefined where there is none. */
  rowsOf(id: string): Promise<SessionRows | undefined> {
    return this.#transaction(() => {
      const row = this.#session(id) as Row & { expires: number } | undefined;
      if (!row) return undefined;
      const tokens = this.#run.tokens.all(id) as SessionRows["tokens"][number][];
      const records = this.#run.numbered.all(id) as SessionRows["records"][number][];
      return { ...row, tokens, records };
    }, this.#run.beginReading);
  }

  /** Takes a session over from another store. */
  adopt(id: string, { epoch, first, next, expires, tokens, records }: SessionRows): Promise<void> {
    return this.#transaction(() => {
      this.#clear(id);
      this.#run.write.run(id, epoch, first, next, expires);
      for (const { hash, wrapped } of tokens) this.#run.token.run(id, hash, wrapped);
      for (const { seq, sealed } of records) this.#run.add.run(id, seq, sealed);
    });
  }

  /** @param rememberMs how long its name is remembered */
  drop(id: string, epoch: number, rememberMs = DROPPED_MS): Promise<boolean> {
    return this.#transaction(() => {
      const row = this.#session(id);
      if (!row || row.epoch > epoch) return false;
      this.#follows.delete(id);
      this.#run.dropTokens.run(id); // nobody opens its records any more
      this.#run.dropSome.run(id); // of a minute of audio a sweep deletes the rest
      this.#sweep.isDue = true;
      this.#run.write.run(id, epoch + 1, 0, 0, Math.ceil(this.#nowMs() + rememberMs));
      return true;
    });
  }

  probe(): Promise<void> {
    return this.#transaction(() => {});
  }

  /** @param lateMs sweeps only what another server should have swept so long ago */
  sweep(lateMs = 0): void {
    this.#sweep.begin(this.#nowMs() - lateMs);
  }

  async close(): Promise<void> {
    const swept = this.#sweep.end();
    this.#db.close();
    await swept;
  }

  #session(id: string): Row | undefined {
    return this.#run.session.get(id, this.#nowMs()) as Row | undefined;
  }

  #records(id: string, from: number): Uint8Array[] {
    return (this.#run.records.all(id, from) as { sealed: Uint8Array }[]).map(({ sealed }) =>
      sealed
    );
  }

  #clear(id: string): void {
    this.#follows.delete(id);
    this.#run.dropRecords.run(id);
    this.#run.dropTokens.run(id);
    this.#sweep.isDue = true;
  }

  /** After a failure it no longer waits for other writers, until it succeeds again. */
  #wait(patient: boolean): void {
    if (patient === this.#patient) return;
    this.#db.exec(`PRAGMA busy_timeout = ${patient ? this.#busyMs : 0}`);
    this.#patient = patient;
  }

  // deno-lint-ignore require-await -- rejects instead of throwing
  async #transaction<T>(work: () => T, begin = this.#run.begin): Promise<T> {
    try {
      begin.run();
      const result = work();
      this.#run.commit.run();
      this.#wait(true);
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  /** A transaction that a client waits for, and no stream: it waits for other writers. */
  async #untilFree<T>(work: () => T): Promise<T> {
    const untilMs = performance.now() + CLAIM_MS;
    for (;;) {
      try {
        return await this.#transaction(work);
      } catch (error) {
        if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error;
        if (performance.now() > untilMs) throw error;
        await delay(CLAIM_EVERY_MS);
      }
    }
  }

  #rollBack(): void {
    this.#follows.clear(); // some of it was undone
    try {
      this.#wait(false);
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
    } catch { /* the file is gone or closed: the failure itself is already on its way */ }
  }
}

/** Makes a file that nobody else may read; its log becomes like it. One that is there stays. */
function makePrivate(file: string): void {
  if (file === ":memory:") return; // tests have such a store
  try {
    closeSync(openSync(file, "wx", 0o600));
  } catch { /* it is there, or SQLite says why it cannot be made */ }
}
