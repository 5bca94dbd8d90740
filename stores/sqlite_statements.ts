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
  CREATE TABLE IF NOT EXISTS journal (key INTEGER PRIMARY KEY, heads TEXT, sealed BLOB);
  CREATE TABLE IF NOT EXISTS fence (raised INTEGER, folds INTEGER);
`;
const HAS_LENGTHS = "SELECT 1 FROM pragma_table_info('record') WHERE name = 'lengths'";

/*
 * A row of `record` is a run of them: `lengths` is a list of numbers, or null for a single one. The
 * newest records are in `journal`, so a session's `next` may be older than its last one. `fence` is
 * raised whenever a session is taken from its holder, and knows how often the journal was folded.
 */
const STATEMENTS = {
  session: `SELECT epoch, first, expires, max(next, ifnull((
      SELECT seq + ifnull(json_array_length(lengths), 1) FROM record
      WHERE id = ?1 ORDER BY seq DESC LIMIT 1
    ), 0)) AS next
    FROM session WHERE id = ?1 AND expires > ?2`,
  exists: "SELECT 1 FROM session WHERE id = ?",
  journal: "INSERT INTO journal (heads, sealed) SELECT ?1, ?2 FROM fence WHERE raised = ?3",
  journaled: "SELECT heads, sealed FROM journal ORDER BY key",
  journaledOf: "SELECT heads, sealed FROM journal WHERE instr(heads, ?) ORDER BY key",
  lastHeadsOf: "SELECT heads FROM journal WHERE instr(heads, ?) ORDER BY key DESC LIMIT 1",
  journalState: "SELECT (SELECT count(*) FROM journal) AS rows, folds FROM fence",
  countFold: "UPDATE fence SET folds = folds + 1",
  emptyJournal: "DELETE FROM journal",
  fence: "SELECT raised FROM fence",
  raiseFence: "UPDATE fence SET raised = raised + 1",
  wrapped: "SELECT wrapped FROM token WHERE id = ? AND hash = ?",
  tokens: "SELECT hash, wrapped FROM token WHERE id = ?",
  runs: `SELECT seq, sealed, lengths FROM record
    WHERE id = ?1 AND seq + ifnull(json_array_length(lengths), 1) > ?2 ORDER BY seq`,
  write: "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?)",
  add: "INSERT INTO record (id, seq, sealed, lengths) VALUES (?, ?, ?, ?)",
  trim: `DELETE FROM record
    WHERE id = ?1 AND seq < ?2 AND seq + ifnull(json_array_length(lengths), 1) <= ?2`,
  token: "INSERT OR REPLACE INTO token VALUES (?, ?, ?)",
  dropRecords: "DELETE FROM record WHERE id = ?",
  dropTokens: "DELETE FROM token WHERE id = ?",
  dropOtherTokens: "DELETE FROM token WHERE id = ? AND hash <> ?",
  dropSession: "DELETE FROM session WHERE id = ?",
  expired: "SELECT id FROM session WHERE expires <= ?",
  begin: "BEGIN IMMEDIATE",
  beginReading: "BEGIN", // waits for no writer
  commit: "COMMIT",
} as const;

/** The statements, prepared. */
export type Statements = Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;

/** Makes the tables where they are missing or of an earlier version, and prepares the statements. */
export function prepare(db: DatabaseSync): Statements {
  db.exec(SCHEMA);
  db.exec("BEGIN IMMEDIATE");
  if (!db.prepare(HAS_LENGTHS).get()) db.exec("ALTER TABLE record ADD COLUMN lengths TEXT");
  db.exec("INSERT INTO fence SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM fence); COMMIT");
  const prepared = Object.entries(STATEMENTS).map(([name, sql]) => [name, db.prepare(sql)]);
  return Object.fromEntries(prepared) as Statements;
}
