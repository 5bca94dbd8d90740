import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SqliteStore } from "../../stores/sqlite_store.ts";
import type { Put } from "../../stores/store.ts";
import { withTempFolder } from "../support/corpus.ts";

const ID = "a session";
const HASH = "a token";
const TTL_MS = 64_000;

/** A session's first record, and one after it. */
function putOf(id: string, seq: number, sealed = Uint8Array.of(seq)): Put {
  const first = { replace: true, tokens: new Map([[HASH, Uint8Array.of(1)]]) };
  return { id, epoch: 1, ttlMs: TTL_MS, from: 0, record: { seq, sealed }, ...(seq === 0 && first) };
}

/** How many rows a table has. */
function rowsIn(file: string, table: string): number {
  const db = new DatabaseSync(file);
  const { count } = db.prepare(`SELECT count(*) AS count FROM ${table}`).get() as { count: number };
  db.close();
  return count;
}

/** A store with one session of one record, and what may be done to it. */
async function withSession(
  use: (session: {
    store: SqliteStore;
    clock: { nowMs: number };
    /** Adds record `seq`, after records from 0 on. */
    add: (seq: number, change?: Partial<Put>) => Promise<string>;
    /** Numbers in the stored records; undefined where the session is gone. */
    stored: () => Promise<number[] | undefined>;
  }) => Promise<void>,
): Promise<void> {
  await withTempFolder(async (folder) => {
    const clock = { nowMs: 1_000_000 };
    const store = new SqliteStore(join(folder, "s.db"), { nowMs: () => clock.nowMs });
    const add = async (seq: number, change: Partial<Put> = {}) => {
      const record = { seq, sealed: Uint8Array.of(seq) };
      const [result] = await store.put([
        { id: ID, epoch: 1, ttlMs: TTL_MS, from: 0, record, ...change },
      ]);
      return result;
    };
    const stored = async () => (await store.read(ID, HASH))?.records.map(([number]) => number);
    const tokens = new Map([[HASH, Uint8Array.of(1)]]);
    assert.equal(await add(0, { replace: true, tokens }), "kept");
    await use({ store, clock, add, stored });
    await store.close();
  });
}

Deno.test("SqliteStore: records follow one another; a gap needs all anew", async () => {
  await withSession(async ({ add, stored }) => {
    assert.deepEqual([await add(1), await add(2)], ["kept", "kept"]);
    assert.deepEqual([await add(4), await add(2)], ["missing", "missing"]);
    assert.deepEqual(await stored(), [0, 1, 2]);
    assert.equal(await add(3, { from: 2 }), "kept", "older ones go");
    assert.deepEqual(await stored(), [2, 3]);
    assert.equal(await add(4, { from: 2 }), "kept");
    assert.deepEqual(await stored(), [2, 3, 4]);
    assert.equal(await add(9, { replace: true, from: 9 }), "kept");
  });
});

Deno.test("SqliteStore: a failed change leaves no record to follow", async () => {
  await withSession(async ({ store, add }) => {
    const other = new DatabaseSync(store.place.slice("sqlite:".length));
    other.exec("DROP TABLE token");
    other.close();
    const change = { id: ID, epoch: 1, ttlMs: TTL_MS, from: 0 };
    const record = { seq: 1, sealed: Uint8Array.of(1) };
    const tokens = new Map([[HASH, Uint8Array.of(1)]]);
    await assert.rejects(store.put([{ ...change, record }, { ...change, tokens }]), /token/);
    assert.equal(await add(2), "missing");
    assert.equal(await add(1), "kept");
    assert.equal(await add(2), "kept");
  });
});

Deno.test("SqliteStore: a claimed session takes the new holder's records alone", async () => {
  await withSession(async ({ store, add, stored }) => {
    await add(1);
    const next = ["next", Uint8Array.of(2)] as const;
    const claim = { epoch: 1, hash: HASH, next, after: 1, ttlMs: TTL_MS };
    assert.deepEqual(await store.claim(ID, claim), [Uint8Array.of(1)], "what came since its read");
    assert.equal(await add(2), "fenced");
    assert.equal(await add(2, { epoch: 2 }), "kept");
    assert.deepEqual(await stored(), [0, 1, 2]);
    const record = { seq: 3, sealed: Uint8Array.of(3) };
    const change = { id: ID, ttlMs: TTL_MS, from: 0, record };
    assert.deepEqual(await store.put([{ ...change, epoch: 1 }, { ...change, epoch: 2 }]), [
      "fenced",
      "kept",
    ]);
  });
});

Deno.test("SqliteStore: records renew a session, at most a 64th of its time late", async () => {
  await withSession(async ({ clock, add, stored }) => {
    const beganMs = clock.nowMs;
    for (let seq = 1; seq <= 20; seq++) { // more than a 64th in all
      clock.nowMs += 100;
      assert.equal(await add(seq), "kept");
    }
    clock.nowMs = beganMs + 2000 + TTL_MS - TTL_MS / 64 - 1;
    assert.equal((await stored())?.length, 21);
    clock.nowMs = beganMs + 2000 + TTL_MS + 1;
    assert.equal(await stored(), undefined);
    assert.equal(await add(21), "missing", "it has expired");
  });
});

Deno.test("SqliteStore: a session that shall end sooner does", async () => {
  await withSession(async ({ clock, add, stored }) => {
    assert.equal(await add(1, { ttlMs: 10 }), "kept");
    clock.nowMs += 9;
    assert.equal((await stored())?.length, 2);
    clock.nowMs += 2;
    assert.equal(await stored(), undefined);
  });
});

Deno.test("SqliteStore.claim() waits for another writer, and holds up nothing", async () => {
  await withSession(async ({ store }) => {
    const writer = new DatabaseSync(store.place.slice("sqlite:".length));
    writer.exec("BEGIN IMMEDIATE");
    const next = ["another token", Uint8Array.of(2)] as const;
    const claimed = store.claim(ID, { epoch: 1, hash: HASH, next, after: 0, ttlMs: TTL_MS });
    await new Promise((resolve) => setTimeout(resolve)); // the thread is free
    writer.exec("COMMIT");
    writer.close();
    assert.deepEqual(await claimed, [Uint8Array.of(0)]);
  });
});

Deno.test("SqliteStore.put() writes what all sessions have heard as one row, and folds it", async () => {
  await withTempFolder(async (folder) => {
    const file = join(folder, "s.db");
    const [store, other] = [new SqliteStore(file), new SqliteStore(file)];
    const ids = ["a", "b", "c"];
    const long = (seq: number) => new Uint8Array(30_000).fill(seq);
    const add = (seq: number) => store.put(ids.map((id) => putOf(id, seq, long(seq))));
    await add(0);
    const began = rowsIn(file, "journal");
    await add(1);
    assert.equal(rowsIn(file, "journal"), began + 1);
    for (let seq = 2; seq <= 20; seq++) { // more than half a MiB: it is folded on the way
      assert.deepEqual(await add(seq), ["kept", "kept", "kept"]);
      for (const id of ids) {
        const stored = await other.read(id, HASH);
        const numbers = Array.from({ length: seq + 1 }, (_, i) => i);
        assert.deepEqual(stored?.records, numbers.map(long), `${id} after ${seq}`);
      }
    }
    assert.ok(rowsIn(file, "journal") < 20 && rowsIn(file, "record") <= 3 * ids.length);
    await store.put([{ ...putOf("a", 21), from: 20 }]);
    assert.deepEqual((await other.read("a", HASH))?.records, [long(20), Uint8Array.of(21)]);
    await store.drop("b", 1);
    assert.equal(await other.read("b", HASH), undefined);
    assert.equal((await other.read("c", HASH))?.records.length, 21, "its records stay");
    await store.close();
    await other.close();
  });
});

Deno.test("SqliteStore: a claim at another server stops the holder, whatever else is written", async () => {
  await withTempFolder(async (folder) => {
    const file = join(folder, "s.db");
    const [one, two] = [new SqliteStore(file), new SqliteStore(file)];
    await one.put([putOf("a", 0), putOf("b", 0)]);
    await one.put([putOf("a", 1), putOf("b", 1)]);
    const next = ["next", Uint8Array.of(2)] as const;
    const claim = { epoch: 1, hash: HASH, next, after: 1, ttlMs: TTL_MS };
    assert.deepEqual(await two.claim("a", claim), [Uint8Array.of(1)]);
    assert.deepEqual(await one.put([putOf("a", 2), putOf("b", 2)]), ["fenced", "kept"]);
    assert.deepEqual(await two.put([{ ...putOf("a", 2), epoch: 2 }]), ["kept"]);
    assert.deepEqual(await one.put([putOf("b", 3)]), ["kept"]);
    assert.equal((await two.read("a", "next"))?.records.length, 3);
    assert.equal((await two.read("b", HASH))?.records.length, 4);
    await one.close();
    await two.close();
  });
});

Deno.test("SqliteStore: a session that begins anew keeps nothing of its former records", async () => {
  await withSession(async ({ store, add, stored }) => {
    await add(1);
    await add(2);
    const tokens = new Map([[HASH, Uint8Array.of(1)]]);
    assert.equal(await add(1, { replace: true, tokens, from: 1 }), "kept");
    assert.equal(await add(2, { from: 1 }), "kept");
    assert.deepEqual(await stored(), [1, 2]);
    const both = [{ seq: 3, sealed: Uint8Array.of(3) }, { seq: 1, sealed: Uint8Array.of(9) }];
    const [follows, anew] = both.map((record) => ({ id: ID, epoch: 1, ttlMs: TTL_MS, record }));
    assert.deepEqual(
      await store.put([{ ...follows!, from: 1 }, { ...anew!, from: 1, replace: true, tokens }]),
      ["kept", "kept"],
    );
    assert.deepEqual(await stored(), [9]);
  });
});

Deno.test("SqliteStore opens a file of before the journal, and goes on in it", async () => {
  await withTempFolder(async (folder) => {
    const file = join(folder, "s.db");
    const old = new DatabaseSync(file);
    old.exec(`
      CREATE TABLE session (
        id TEXT PRIMARY KEY, epoch INTEGER, first INTEGER, next INTEGER, expires INTEGER
      ) WITHOUT ROWID;
      CREATE TABLE token (id TEXT, hash TEXT, wrapped BLOB, PRIMARY KEY (id, hash)) WITHOUT ROWID;
      CREATE TABLE record (key INTEGER PRIMARY KEY, id TEXT, seq INTEGER, sealed BLOB);
      CREATE UNIQUE INDEX record_of ON record (id, seq);
      INSERT INTO session VALUES ('a', 1, 0, 1, ${Date.now() + TTL_MS});
      INSERT INTO token VALUES ('a', '${HASH}', x'01');
      INSERT INTO record (id, seq, sealed) VALUES ('a', 0, x'00'), ('a', 1, x'01');
    `);
    old.close();
    const store = new SqliteStore(file);
    assert.deepEqual(await store.put([putOf("a", 3)]), ["missing"]);
    assert.deepEqual(await store.put([putOf("a", 2)]), ["kept"]);
    assert.deepEqual(
      (await store.read("a", HASH))?.records,
      [Uint8Array.of(0), Uint8Array.of(1), Uint8Array.of(2)],
    );
    await store.close();
  });
});
