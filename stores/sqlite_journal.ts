/**
 * The newest records of an SQLite store: each transaction adds one row, of however many sessions it
 * has records. Now and then they are folded: each session's go into one row of its own.
 */
import type { Statements } from "./sqlite_statements.ts";

/**
 * How much a server adds before it folds. More makes longer runs, fewer rows for each record; but
 * the thread is held up for longer.
 */
const MOST_BYTES = 512 * 1024;

/** A record, and whose it is. */
export interface Entry {
  readonly id: string;
  readonly seq: number;
  readonly sealed: Uint8Array;
}

type Head = readonly [id: string, seq: number, bytes: number];

/** The journal of a store. */
export class SqliteJournal {
  readonly #run: Statements;
  /** Added here since the last fold: in how many rows, of how many bytes. */
  #added: Entry[] = [];
  #rows = 0;
  #bytes = 0;
  /** How often the journal had been folded by then, by whatever server; -1 if that is not known. */
  #folds = -1;

  constructor(run: Statements) {
    this.#run = run;
  }

  /** Whether it is time to fold. */
  get isLong(): boolean {
    return this.#bytes > MOST_BYTES;
  }

  /**
   * Adds records, if nobody has raised the fence.
   *
   * @param raised how often it had been raised
   * @returns whether they were added
   */
  add(entries: readonly Entry[], raised: number): boolean {
    const heads = entries.map(({ id, seq, sealed }): Head => [id, seq, sealed.length]);
    const sealed = joined(entries);
    if (this.#run.journal.run(JSON.stringify(heads), sealed, raised).changes !== 1) return false;
    this.#added.push(...entries);
    this.#rows++;
    this.#bytes += sealed.length;
    return true;
  }

  /** A session's records, oldest first. */
  of(id: string): Entry[] {
    return this.#run.journaledOf.all(JSON.stringify(id)).flatMap(entriesOf)
      .filter((entry) => entry.id === id);
  }

  /** The number that follows a session's last one; 0 if there is none. */
  nextOf(id: string): number {
    const last = this.#run.lastHeadsOf.get(JSON.stringify(id));
    const its = last && headsOf(last).findLast(([name]) => name === id);
    return its ? its[1] + 1 : 0;
  }

  /** Moves all records, whoever wrote them, to rows of their sessions. */
  fold(): void {
    const { rows, folds } = this.#run.journalState.get() as { rows: number; folds: number };
    const isKnown = rows === this.#rows && folds === this.#folds;
    const entries = isKnown ? this.#added : this.#run.journaled.all().flatMap(entriesOf);
    for (const [id, run] of Map.groupBy(entries, ({ id }) => id)) {
      const lengths = JSON.stringify(run.map(({ sealed }) => sealed.length));
      this.#run.add.run(id, run[0]!.seq, joined(run), lengths);
    }
    if (rows > 0) this.#run.emptyJournal.run();
    this.#run.countFold.run();
    this.#begin(folds + 1);
  }

  /** Some of what was added was undone. */
  forget(): void {
    this.#begin(-1);
  }

  #begin(folds: number): void {
    this.#added = [];
    this.#rows = this.#bytes = 0;
    this.#folds = folds;
  }
}

type Row = Readonly<Record<string, unknown>>;

/** The records of a row that holds a run of them. */
export function recordsOf(row: Row): Omit<Entry, "id">[] {
  const { seq, sealed, lengths } = row as { seq: number; sealed: Uint8Array; lengths?: string };
  if (!lengths) return [{ seq, sealed }];
  return partsOf(sealed, JSON.parse(lengths) as number[]).map((sealed, i) => ({
    seq: seq + i,
    sealed,
  }));
}

function headsOf({ heads }: Row): Head[] {
  return JSON.parse(heads as string);
}

/** The records of a row of the journal. */
export function entriesOf(row: Row): Entry[] {
  const heads = headsOf(row);
  const parts = partsOf(row.sealed as Uint8Array, heads.map(([, , bytes]) => bytes));
  return heads.map(([id, seq], i) => ({ id, seq, sealed: parts[i]! }));
}

function partsOf(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  let end = 0;
  return lengths.map((length) => bytes.subarray(end, end += length));
}

function joined(entries: readonly Pick<Entry, "sealed">[]): Uint8Array {
  const [first] = entries;
  if (entries.length === 1 && first) return first.sealed;
  const bytes = new Uint8Array(entries.reduce((sum, { sealed }) => sum + sealed.length, 0));
  let at = 0;
  for (const { sealed } of entries) {
    bytes.set(sealed, at);
    at += sealed.length;
  }
  return bytes;
}
