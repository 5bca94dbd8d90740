/** What an SQLite store says to its file: the tables, and every statement by name. */
import type { DatabaseSync, StatementSync } from "node:sqlite";

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = OFF;
  PRAGMA secure_delete = ON;
  PRAGMA journal_size_limit = 16777216;
  CREATE TABLE IF NOT EXISTS session (
    id TEXT PRIMARY KEY, epoch INTEGER, first INTEGER, next INTEGER, expires INTEGER
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS expiry ON session (expires);
  CREATE TABLE IF NOT EXISTS token (
    id TEXT, hash TEXT, wrapped BLOB, PRIMARY KEY (id, hash)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS record (key INTEGER PRIMARY KEY, id TEXT, seq INTEGER, sealed BLOB);
  CREATE UNIQUE INDEX IF NOT EXISTS record_of ON record (id, seq);
`;

// a session's `next` may be older than its last record, which counts
const STATEMENTS = {
  session: `SELECT epoch, first, expires,
      max(next, ifnull((SELECT max(seq) + 1 FROM record WHERE id = ?1), 0)) AS next
    FROM session WHERE id = ?1 AND expires > ?2`,
  append: `INSERT INTO record (id, seq, sealed) SELECT ?1, ?2, ?3 FROM session
    WHERE id = ?1 AND epoch = ?4 AND first = ?5 AND expires > ?6 AND expires BETWEEN ?7 AND ?8`,
  wrapped: "SELECT wrapped FROM token WHERE id = ? AND hash = ?",
  tokens: "SELECT hash, wrapped FROM token WHERE id = ?",
  numbered: "SELECT seq, sealed FROM record WHERE id = ? ORDER BY seq",
  records: "SELECT sealed FROM record WHERE id = ? AND seq >= ? ORDER BY seq",
  write: "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?)",
  add: "INSERT INTO record (id, seq, sealed) VALUES (?, ?, ?)",
  trim: "DELETE FROM record WHERE id = ? AND seq < ?",
  token: "INSERT OR REPLACE INTO token VALUES (?, ?, ?)",
  dropRecords: "DELETE FROM record WHERE id = ?",
  dropTokens: "DELETE FROM token WHERE id = ?",
  dropOtherTokens: "DELETE FROM token WHERE id = ? AND hash <> ?",
  dropSession: "DELETE FROM session WHERE id = ?",
  dropSome: "DELETE FROM record WHERE key IN (SELECT key FROM record WHERE id = ? LIMIT 64)",
  expired: "SELECT id FROM session WHERE expires <= ? LIMIT ?",
  begin: "BEGIN IMMEDIATE",
  beginReading: "BEGIN", // waits for no writer
  commit: "COMMIT",
} as const;

/** The statements, prepared. */
export type Statements = Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;

/** Makes the tables where they are missing, and prepares the statements. */
export function prepare(db: DatabaseSync): Statements {
  db.exec(SCHEMA);
  const prepared = Object.entries(STATEMENTS).map(([name, sql]) => [name, db.prepare(sql)]);
  return Object.fromEntries(prepared) as Statements;
}
