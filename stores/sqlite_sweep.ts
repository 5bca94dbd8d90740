/**
 * Deletes from an SQLite store what has expired, a part at a time: a thousand sessions that were
 * lost together expire together, and each may have thousands of records.
 */
import type { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import type { Statements } from "./sqlite_statements.ts";

/** Milliseconds of the thread that a part takes, and then leaves to others. */
const PART_MS = 4;
const PAUSE_MS = 10;
/** Sessions of a part, at most. */
const PART_SESSIONS = 256;

/** The sweeps of one store. */
export class SqliteSweep {
  /** Deleted records may still lie in the log, which is emptied then. */
  isDue: boolean;
  readonly #db: DatabaseSync;
  readonly #run: Statements;
  #under?: Promise<void>;
  #ended = false;

  constructor(db: DatabaseSync, run: Statements, { isDue }: { isDue: boolean }) {
    this.#db = db;
    this.#run = run;
    this.isDue = isDue;
  }

  /** Deletes what had expired at a time of day; only one sweep at a time is under way. */
  begin(dateMs: number): void {
    if (this.#under || this.#part(dateMs)) return;
    this.#under = this.#rest(dateMs).finally(() => this.#under = undefined);
  }

  /** Resolves once no sweep is under way; none deletes anything from now on. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#under;
  }

  async #rest(dateMs: number): Promise<void> {
    do await delay(PAUSE_MS); while (!this.#ended && !this.#part(dateMs));
  }

  /** @returns whether no other part follows */
  #part(dateMs: number): boolean {
    try {
      if (!this.#erase(dateMs)) return false;
      if (!this.isDue) return true;
      const log = this.#db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
      this.isDue = log?.busy !== 0;
    } catch { // another server is at it; the next sweep tries again
      if (this.#db.isOpen && this.#db.isTransaction) this.#db.exec("ROLLBACK");
    }
    return true;
  }

  /** @returns whether nothing is left; it stops when it has taken long */
  #erase(dateMs: number): boolean {
    const endMs = performance.now() + PART_MS;
    const expired = this.#run.expired.all(dateMs, PART_SESSIONS) as { id: string }[];
    if (expired.length === 0) return true;
    this.isDue = true;
    this.#run.begin.run();
    const inTime = expired.every(({ id }) => this.#eraseOne(id, endMs));
    this.#run.commit.run();
    return inTime && expired.length < PART_SESSIONS;
  }

  /** @returns whether there is time for another session; without it, some of this one may stay */
  #eraseOne(id: string, endMs: number): boolean {
    while (this.#run.dropSome.run(id).changes > 0) if (performance.now() > endMs) return false;
    this.#run.dropTokens.run(id);
    this.#run.dropSession.run(id);
    return performance.now() <= endMs;
  }
}
