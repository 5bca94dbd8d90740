/** The file of an SQLite store, open: its connection, statements and sweeps. */
import { closeSync, existsSync, fstatSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { prepare, type Statements } from "./sqlite_statements.ts";
import { SqliteSweep } from "./sqlite_sweep.ts";

/** An open file. */
export class SqliteFile {
  readonly db: DatabaseSync;
  readonly run: Statements;
  readonly sweep: SqliteSweep;
  readonly #path: string;
  /**
   * Tells when the file is deleted. It is closed after the connection: closing any descriptor of a
   * file ends all locks that the process has on it.
   */
  readonly #descriptor?: number;

  /**
   * Opens the file, or makes it (0600).
   *
   * @param options `openingMs`, `busyMs`: how long opening it and a write wait for another server;
   *   `isOwn`: false for a file that another server writes to all the time
   * @throws {Error} if it cannot be used
   */
  constructor(
    path: string,
    { openingMs, busyMs, isOwn }: { openingMs: number; busyMs: number; isOwn: boolean },
  ) {
    this.#path = path;
    // tests have a store in memory; others are made for their user alone, and so are their logs
    if (path !== ":memory:") this.#descriptor = openSync(path, "a", 0o600);
    this.db = new DatabaseSync(path, { open: false });
    try {
      this.db.open();
      this.db.exec(`PRAGMA busy_timeout = ${openingMs}`);
      this.run = prepare(this.db);
      this.db.exec(`PRAGMA busy_timeout = ${busyMs}`);
    } catch (error) {
      this.#close();
      throw error;
    }
    this.sweep = new SqliteSweep(this.db, this.run, { isDue: isOwn });
  }

  /** Whether it is closed, or was deleted or moved: nobody else finds what is written to it. */
  get isGone(): boolean {
    if (!this.db.isOpen) return true;
    if (this.#descriptor === undefined) return false;
    return fstatSync(this.#descriptor).nlink === 0 || !existsSync(this.#path);
  }

  /** Closes it at once. Resolves once no sweep is under way. */
  close(): Promise<void> {
    const swept = this.sweep.end();
    if (this.db.isOpen) this.#close();
    return swept;
  }

  #close(): void {
    if (this.db.isOpen) this.db.close();
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
  }
}
