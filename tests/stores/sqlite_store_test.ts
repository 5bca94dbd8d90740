import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { SqliteStore } from "../../stores/sqlite_store.ts";
import type { Put } from "../../stores/store.ts";
import { withTempFolder } from "../support/corpus.ts";

const ID = "a session";
const HASH = "a token";
const TTL_MS = 64_000;

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

Deno.test("SqliteStore makes a file that nobody else reads, and leaves one that is there", async () => {
  await withTempFolder(async (folder) => {
    const modes = [];
    for (const [name, mode] of [["new.db"], ["shared.db", 0o660]] as const) {
      const file = join(folder, name);
      if (mode) await Deno.writeFile(file, new Uint8Array(0), { mode });
      if (mode) await Deno.chmod(file, mode);
      const store = new SqliteStore(file);
      await store.put([{ id: ID, epoch: 1, ttlMs: TTL_MS, from: 0, replace: true }]);
      for (const part of ["", "-wal", "-shm"]) {
        modes.push((await Deno.stat(file + part)).mode! & 0o777);
      }
      await store.close();
    }
    assert.deepEqual(modes, [0o600, 0o600, 0o600, 0o660, 0o660, 0o660]);
  });
});

for (
  const [what, take] of [
    ["deleted", (file: string) => Deno.remove(file)],
    ["moved", (file: string) => Deno.rename(file, file + ".old")],
    [
      "replaced",
      (file: string) =>
        Deno.writeFile(file + ".new", new Uint8Array(0)).then(() =>
          Deno.rename(file + ".new", file)
        ),
    ],
  ] as const
) {
  Deno.test(`SqliteStore notices that its file is ${what}, and a probe makes it anew`, async () => {
    await withSession(async ({ store, add }) => {
      const file = store.place.slice("sqlite:".length);
      await take(file);
      assert.throws(() => store.sweep(), /s\.db was deleted or moved/);
      await store.probe();
      assert.equal(await add(1), "missing", "all is needed anew");
      const tokens = new Map([[HASH, Uint8Array.of(1)]]);
      assert.equal(await add(0, { replace: true, tokens }), "kept");
      assert.equal(await add(1), "kept");
      store.sweep();
      assert.equal(await add(2), "kept");
      const other = new SqliteStore(file, { nowMs: () => 1_000_000 });
      assert.equal((await other.read(ID, HASH))?.records.length, 3, "others find it");
      await other.close();
    });
  });
}

for (const parts of [[""], ["", "-wal"], ["", "-wal", "-shm"]]) {
  const what = parts.map((part) => `s.db${part}`).join(", ");
  Deno.test(`SqliteStore: two servers whose ${what} was deleted share the new one`, async () => {
    await withSession(async ({ store: one, add, clock }) => {
      const file = one.place.slice("sqlite:".length);
      const two = new SqliteStore(file, { nowMs: () => clock.nowMs });
      for (let seq = 1; seq < 50; seq++) await add(seq);
      assert.equal((await two.read(ID, HASH))?.records.length, 50);
      for (const part of parts) await Deno.remove(file + part);
      for (const store of [one, two]) {
        assert.throws(() => store.sweep(), /deleted/);
        await store.probe();
      }
      const tokens = new Map([[HASH, Uint8Array.of(1)]]);
      assert.equal(await add(0, { replace: true, tokens }), "kept");
      for (const [seq, store] of [[1, two], [2, one], [3, two]] as const) {
        const record = { seq, sealed: Uint8Array.of(seq) };
        const results = await store.put([{ id: ID, epoch: 1, ttlMs: TTL_MS, from: 0, record }]);
        assert.deepEqual(results, ["kept"]);
      }
      for (const store of [one, two]) {
        assert.equal((await store.read(ID, HASH))?.records.length, 4);
        store.sweep();
      }
      await two.close();
    });
  });
}

Deno.test("SqliteStore fails as long as its folder is gone", async () => {
  await withTempFolder(async (folder) => {
    const inner = join(folder, "inner");
    await Deno.mkdir(inner);
    const store = new SqliteStore(join(inner, "s.db"));
    await Deno.remove(inner, { recursive: true });
    for (let i = 0; i < 2; i++) {
      assert.throws(() => store.sweep(), /inner/);
      await assert.rejects(store.probe(), /inner/);
    }
    await Deno.mkdir(inner);
    await store.probe();
    await store.close();
  });
});

Deno.test("SqliteStore.sweep() leaves the thread to others while many sessions expire", async () => {
  await withSession(async ({ store, clock }) => {
    const sealed = new Uint8Array(64);
    for (let i = 0; i < 100; i++) {
      const change = { id: `${i}`, epoch: 1, ttlMs: 1000, from: 0 };
      await store.put(Array.from({ length: 300 }, (_, seq) => ({
        ...change,
        ...(seq === 0 && { replace: true }),
        record: { seq, sealed },
      })));
    }
    const other = new DatabaseSync(store.place.slice("sqlite:".length));
    const left = () => other.prepare("SELECT count(*) AS records FROM record").get()?.records;
    clock.nowMs += 1000;
    store.sweep();
    assert.ok(Number(left()) > 10_000, `${left()} records are left after the first part`);
    while (left() !== 1) await delay(1);
    const sessions = other.prepare("SELECT id FROM session").all();
    assert.deepEqual(sessions.map(({ id }) => id), [ID], "the one that has not expired");
    other.close();
  });
});

Deno.test("SqliteStore.close() ends a sweep that is under way", async () => {
  await withSession(async ({ store, clock }) => {
    const change = { epoch: 1, ttlMs: 1000, from: 0, replace: true };
    const record = { seq: 0, sealed: new Uint8Array(10) };
    for (let i = 0; i < 300; i++) await store.put([{ ...change, id: `${i}`, record }]);
    clock.nowMs += 1000;
    store.sweep();
  });
});

Deno.test("SqliteStore.drop() leaves most records of a long session to the sweep", async () => {
  await withSession(async ({ store, clock, add, stored }) => {
    for (let seq = 1; seq < 200; seq++) await add(seq);
    const other = new DatabaseSync(store.place.slice("sqlite:".length));
    const left = () => other.prepare("SELECT count(*) AS records FROM record").get()?.records;
    assert.equal(await store.drop(ID, 1), true);
    assert.equal(await stored(), undefined, "it is gone at once");
    assert.equal(left(), 200 - 64);
    clock.nowMs += 5000;
    store.sweep();
    while (left() !== 0) await delay(1);
    other.close();
  });
});
