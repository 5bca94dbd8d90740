/**
 * Sessions in an SQLite file, for servers on one machine. Writes go to the write-ahead log in the
 * system's memory, which outlives a killed process, and never wait for the disk.
 */
import { setTimeout as delay } from "node:timers/promises";
import { UsageError } from "../errors.ts";
import { SqliteFile } from "./sqlite_file.ts";
import type { Statements } from "./sqlite_statements.ts";
import {
  type Claim,
  DROPPED_MS,
  type Put,
  type PutResult,
  type SessionStore,
  type Stored,
} from "./store.ts";

/** How long a server that starts waits for others'. */
const OPENING_MS = 2000;
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
  readonly #path: string;
  readonly #nowMs: () => number;
  readonly #isOwn: boolean;
  readonly #busyMs: number;
  #file: SqliteFile;
  #patient = true;
  /**
   * By session: the record that follows the last one written here. It spares a statement from
   * looking at the table that it writes to, for which SQLite makes a second table.
   */
  readonly #follows = new Map<string, number>();

  /**
   * Opens the file, or makes it (0600).
   *
   * @param path of the file
   * @param options `nowMs`: the time of day, which all servers of a store share (tests bring their
   *   own); `isOwn`: false for a file that another server writes to all the time
   * @throws {UsageError} if it cannot be used
   */
  constructor(
    path: string,
    { nowMs = Date.now, isOwn = true }: { nowMs?: () => number; isOwn?: boolean } = {},
  ) {
    this.place = `sqlite:${path}`;
    this.#path = path;
    this.#nowMs = nowMs;
    this.#isOwn = isOwn;
    this.#busyMs = isOwn ? BUSY_MS : OTHERS_BUSY_MS;
    try {
      this.#file = this.#open(OPENING_MS);
    } catch (error) {
      throw new UsageError(`--store ${this.place} cannot be used: ${(error as Error).message}`);
    }
  }

  #open(openingMs: number): SqliteFile {
    const [busyMs, isOwn] = [this.#busyMs, this.#isOwn];
    return new SqliteFile(this.#path, { openingMs, busyMs, isOwn });
  }

  get #run(): Statements {
    return this.#file.run;
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
      this.#file.sweep.isDue = true;
      this.#run.write.run(id, epoch + 1, 0, 0, Math.ceil(this.#nowMs() + rememberMs));
      return true;
    });
  }

  async probe(): Promise<void> {
    this.mend();
    await this.#transaction(() => {});
  }

  /**
   * Makes the file anew where it is gone.
   *
   * @throws {Error} if it cannot be made
   */
  mend(): void {
    if (!this.#file.isGone) return;
    void this.#file.close(); // SQLite leaves the log of that name alone then
    this.#file = this.#open(this.#busyMs);
    this.#follows.clear();
    this.#patient = true;
  }

  /**
   * @param lateMs sweeps only what another server should have swept so long ago
   * @throws {Error} if the file is gone
   */
  sweep(lateMs = 0): void {
    if (this.#file.isGone) throw new Error(`${this.#path} was deleted or moved`);
    this.#file.sweep.begin(this.#nowMs() - lateMs);
  }

  async close(): Promise<void> {
    await this.#file.close();
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
    this.#file.sweep.isDue = true;
  }

  /** After a failure it no longer waits for other writers, until it succeeds again. */
  #wait(patient: boolean): void {
    if (patient === this.#patient) return;
    this.#file.db.exec(`PRAGMA busy_timeout = ${patient ? this.#busyMs : 0}`);
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
      if (this.#file.db.isTransaction) this.#file.db.exec("ROLLBACK");
    } catch { /* the file is gone or closed: the failure itself is already on its way */ }
  }
}
