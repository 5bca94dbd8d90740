/**
 * Sessions in an SQLite file, for servers on one machine. Writes go to the write-ahead log in the
 * system's memory, which outlives a killed process, and never wait for the disk.
 */
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { UsageError } from "../errors.ts";
import { type Entry, recordsOf, SqliteJournal } from "./sqlite_journal.ts";
import { prepare, type Statements } from "./sqlite_statements.ts";
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
  readonly expires: number;
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
  readonly #journal: SqliteJournal;
  /** Sessions as they are written here; true as long as nobody raises the fence. */
  readonly #known = new Map<string, Row>();
  /** How often the fence was raised, as far as known here. */
  #raised = -1;
  /** Deleted records may still lie in the log. */
  #unswept: boolean;

  /**
   * Opens the file, or makes it.
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
    this.#unswept = isOwn;
    try {
      this.#db = new DatabaseSync(file);
      this.#db.exec("PRAGMA busy_timeout = 2000");
      this.#run = prepare(this.#db);
      this.#journal = new SqliteJournal(this.#run);
      this.#db.exec(`PRAGMA busy_timeout = ${this.#busyMs}`);
    } catch (error) {
      throw new UsageError(`--store ${this.place} cannot be used: ${(error as Error).message}`);
    }
  }

  async put(changes: readonly Put[]): Promise<readonly PutResult[]> {
    if (this.#addAlone(changes)) return changes.map(() => "kept");
    return await this.#transaction(() => {
      const entries: Entry[] = [];
      const results = changes.map((change) => this.#put(change, entries));
      this.#add(entries);
      if (this.#journal.isLong) this.#journal.fold();
      return results;
    });
  }

  /**
   * Adds records to sessions that need nothing else, in one statement, which also checks that
   * nobody has claimed one of them.
   *
   * @returns whether it did; false too where it failed
   */
  #addAlone(changes: readonly Put[]): boolean {
    if (this.#journal.isLong || !changes.every((change) => this.#isRecordAlone(change))) {
      return false;
    }
    const entries = changes.map(({ id, record }): Entry => ({ id, ...record! }));
    try {
      if (!this.#journal.add(entries, this.#raised)) return false;
    } catch {
      return false; // then the transaction fails too, and says why
    }
    for (const { id, seq } of entries) this.#know(id, { ...this.#known.get(id)!, next: seq + 1 });
    return true;
  }

  /** Whether a change adds a record, and nothing else has to be written. */
  #isRecordAlone({ id, epoch, ttlMs, replace, from, record, tokens }: Put): boolean {
    const known = this.#known.get(id);
    if (!known || replace || !record || tokens) return false;
    const nowMs = this.#nowMs();
    const expires = Math.ceil(nowMs + ttlMs);
    return known.epoch === epoch && known.first === from && known.next === record.seq &&
      known.expires > nowMs && known.expires <= expires &&
      known.expires >= Math.ceil(expires - ttlMs * RENEWED_EARLY);
  }

  /** @param entries records for the journal; it adds its own */
  #put(change: Put, entries: Entry[]): PutResult {
    const { id, epoch, ttlMs, replace = false, from, record, tokens } = change;
    const isRecordAlone = this.#isRecordAlone(change);
    const row = this.#session(id);
    this.#known.delete(id);
    if (row && row.epoch > epoch) return "fenced";
    if (!replace && (!row || row.epoch < epoch || record && row.next !== record.seq)) {
      return "missing";
    }
    if (replace) {
      this.#add(entries.splice(0));
      if (this.#run.exists.get(id)) this.#clear(id);
    } else if (row && from > row.first) this.#run.trim.run(id, from);
    if (record) entries.push({ id, ...record });
    const next = record ? record.seq + 1 : row?.next ?? from;
    if (row && isRecordAlone) {
      this.#know(id, { ...row, next });
      return "kept";
    }
    const expires = Math.ceil(this.#nowMs() + ttlMs);
    this.#run.write.run(id, epoch, from, next, expires);
    if (tokens) {
      this.#run.dropTokens.run(id);
      for (const [hash, wrapped] of tokens) this.#run.token.run(id, hash, wrapped);
    }
    this.#know(id, { epoch, first: from, next, expires });
    return "kept";
  }

  #add(entries: readonly Entry[]): void {
    if (entries.length > 0) this.#journal.add(entries, this.#raised);
  }

  #know(id: string, row: Row): void {
    this.#known.set(id, row);
    const [oldest] = this.#known.keys();
    if (oldest !== undefined && this.#known.size > MOST_KNOWN) this.#known.delete(oldest);
  }

  read(id: string, hash: string): Promise<Stored | undefined> {
    return this.#transaction(() => {
      const row = this.#session(id);
      const token = this.#run.wrapped.get(id, hash) as { wrapped: Uint8Array } | undefined;
      if (!row || !token) return undefined;
      const { epoch, first: from } = row;
      const records = this.#records(id, from).map(({ sealed }) => sealed);
      return { epoch, from, wrappedKey: token.wrapped, records };
    }, () => this.#run.beginReading.run());
  }

  claim(
    id: string,
    { epoch, hash, next: [nextHash, wrapped], after, ttlMs }: Claim,
  ): Promise<readonly Uint8Array[] | undefined> {
    return this.#untilFree(() => {
      const row = this.#session(id);
      if (row?.epoch !== epoch || !this.#run.wrapped.get(id, hash)) return undefined;
      this.#takeAway(id);
      const expires = Math.ceil(this.#nowMs() + ttlMs);
      this.#run.write.run(id, epoch + 1, row.first, row.next, expires);
      this.#run.dropOtherTokens.run(id, hash);
      this.#run.token.run(id, nextHash, wrapped);
      return this.#records(id, after).map(({ sealed }) => sealed);
    });
  }

  /** All of a session; undefined where there is none. */
  rowsOf(id: string): Promise<SessionRows | undefined> {
    return this.#transaction(() => {
      const row = this.#session(id);
      if (!row) return undefined;
      const tokens = this.#run.tokens.all(id) as SessionRows["tokens"][number][];
      return { ...row, tokens, records: this.#records(id, row.first) };
    });
  }

  /** Takes a session over from another store. */
  adopt(id: string, { epoch, first, next, expires, tokens, records }: SessionRows): Promise<void> {
    return this.#transaction(() => {
      this.#takeAway(id);
      this.#clear(id);
      this.#run.write.run(id, epoch, first, next, expires);
      for (const { hash, wrapped } of tokens) this.#run.token.run(id, hash, wrapped);
      for (const { seq, sealed } of records) this.#run.add.run(id, seq, sealed, null);
    });
  }

  /** @param rememberMs how long its name is remembered */
  drop(id: string, epoch: number, rememberMs = DROPPED_MS): Promise<boolean> {
    return this.#transaction(() => {
      const row = this.#session(id);
      if (!row || row.epoch > epoch) return false;
      this.#takeAway(id);
      this.#clear(id);
      this.#run.write.run(id, epoch + 1, 0, 0, Math.ceil(this.#nowMs() + rememberMs));
      return true;
    });
  }

  probe(): Promise<void> {
    return this.#transaction(() => {});
  }

  /** @param lateMs sweeps only what another server should have swept so long ago */
  sweep(lateMs = 0): void {
    try {
      const expired = this.#run.expired.all(this.#nowMs() - lateMs) as { id: string }[];
      if (expired.length > 0) {
        this.#begin();
        for (const { id } of expired) {
          this.#takeAway(id);
          this.#clear(id);
          this.#run.dropSession.run(id);
        }
        this.#run.commit.run();
        this.#unswept = true;
      }
      if (!this.#unswept) return;
      const log = this.#db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
      this.#unswept = log?.busy !== 0;
    } catch {
      this.#rollBack(); // another server is at it; the next sweep tries again
    }
  }

  // deno-lint-ignore require-await -- other stores wait
  async close(): Promise<void> {
    this.#db.close();
  }

  /** A session that has not expired. */
  #session(id: string): Row | undefined {
    const nowMs = this.#nowMs();
    const known = this.#known.get(id);
    if (known && known.expires > nowMs) return known;
    const row = this.#run.session.get(id, nowMs) as Row | undefined;
    return row && { ...row, next: Math.max(row.next, this.#journal.nextOf(id)) };
  }

  /** A session's records from one on. */
  #records(id: string, from: number): Omit<Entry, "id">[] {
    const folded = this.#run.runs.all(id, from).flatMap(recordsOf);
    return [...folded, ...this.#journal.of(id)].filter(({ seq }) => seq >= from);
  }

  /** Whoever holds a session learns of it with the next write. */
  #takeAway(id: string): void {
    this.#known.delete(id);
    this.#run.raiseFence.run();
    this.#raised++;
  }

  #clear(id: string): void {
    this.#journal.fold();
    this.#run.dropRecords.run(id);
    this.#run.dropTokens.run(id);
    this.#unswept = true;
  }

  /** After a failure it no longer waits for other writers, until it succeeds again. */
  #wait(patient: boolean): void {
    if (patient === this.#patient) return;
    this.#db.exec(`PRAGMA busy_timeout = ${patient ? this.#busyMs : 0}`);
    this.#patient = patient;
  }

  /** From here on nobody else writes; what is known is true. */
  #begin(): void {
    this.#run.begin.run();
    const { raised } = this.#run.fence.get() as { raised: number };
    if (raised !== this.#raised) this.#known.clear();
    this.#raised = raised;
  }

  // deno-lint-ignore require-await -- rejects instead of throwing
  async #transaction<T>(work: () => T, begin = () => this.#begin()): Promise<T> {
    try {
      begin();
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
    this.#known.clear(); // some of it was undone
    this.#journal.forget();
    try {
      this.#wait(false);
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
    } catch { /* the file is gone or closed: the failure itself is already on its way */ }
  }
}
