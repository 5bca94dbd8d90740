/** A store of sessions in memory, which does what it is told, and answers as a test wants it. */
import assert from "node:assert/strict";
import type { Claim, Put, PutResult, SessionStore, Stored } from "../../stores/store.ts";

/** A stored session, sealed. */
export interface Shelved {
  readonly epoch: number;
  readonly from: number;
  readonly records: ReadonlyMap<number, Uint8Array>;
  readonly tokens: ReadonlyMap<string, Uint8Array>;
}

/** Sessions by name, and what became of them. */
export class Shelf implements SessionStore {
  readonly place = "shelf";
  writesAtOnce = false;
  readonly sessions = new Map<string, Shelved>();
  /** Every change, in order. */
  readonly puts: Put[] = [];
  /** Calls of other methods, in order. */
  readonly calls: string[] = [];
  /** How many of the newest records each {@linkcode read} asked for. */
  readonly reads: number[] = [];
  /** What {@linkcode put} answers for each change; what replaces all is never `missing`. */
  result: PutResult = "kept";
  /** Waited for before any answer; rejects to let the store fail. */
  answers: () => Promise<void> = () => Promise.resolve();

  async put(changes: readonly Put[]): Promise<readonly PutResult[]> {
    this.puts.push(...changes);
    for (const change of changes) this.#carryOut(change);
    await this.answers();
    return changes.map(({ replace }) =>
      replace && this.result === "missing" ? "kept" : this.result
    );
  }

  #carryOut({ id, epoch, from, replace, record, tokens }: Put): void {
    const former = this.sessions.get(id);
    const records = new Map(replace ? [] : former?.records);
    if (record) {
      const last = [...records.keys()].at(-1);
      assert.ok(last === undefined || record.seq === last + 1, "a gap between records");
      records.set(record.seq, record.sealed);
    }
    for (const seq of records.keys()) if (seq < from) records.delete(seq);
    assert.equal([...records.keys()][0], from, "the oldest record that is needed is there");
    this.sessions.set(id, { epoch, from, records, tokens: tokens ?? former?.tokens ?? new Map() });
  }

  async read(id: string, hash: string, newest = Infinity): Promise<Stored | undefined> {
    this.reads.push(newest);
    await this.answers();
    const { epoch, from, records, tokens } = this.sessions.get(id) ?? {};
    const wrappedKey = tokens?.get(hash);
    if (!wrappedKey || !records) return undefined;
    const next = from! + records.size;
    const first = Math.max(from!, next - newest);
    const read = [...records.values()].slice(first - next);
    return { epoch: epoch!, from: from!, wrappedKey, first, records: read };
  }

  async claim(id: string, { epoch, next, after }: Claim): Promise<Uint8Array[] | undefined> {
    await this.answers();
    const session = this.sessions.get(id);
    if (!session || session.epoch !== epoch) return undefined;
    const tokens = new Map([...session.tokens, next]);
    this.sessions.set(id, { ...session, epoch: epoch + 1, tokens });
    return [...session.records].filter(([seq]) => seq >= after).map(([, sealed]) => sealed);
  }

  async drop(id: string, epoch: number): Promise<boolean> {
    this.calls.push(`drop ${id} ${epoch}`);
    const found = this.sessions.delete(id);
    await this.answers();
    return found;
  }

  async probe(): Promise<void> {
    this.calls.push("probe");
    await this.answers();
  }

  sweep(): void {
    this.calls.push("sweep");
  }

  async close(): Promise<void> {
    this.calls.push("close");
    await this.answers();
  }
}
