import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { fileOf, SqliteFolderStore } from "../../stores/sqlite_folder.ts";
import type { Put } from "../../stores/store.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);
/** A write of one record. */
function put(seq: number, { epoch = 1, replace }: { epoch?: number; replace?: true } = {}): Put {
  return {
    id: "session",
    epoch,
    ttlMs: 10_000,
    from: 0,
    record: { seq, sealed: bytes(seq) },
    ...(replace && { replace, tokens: new Map([["token", bytes(7)]]) }),
  };
}
const CLAIM = {
  epoch: 1,
  hash: "token",
  next: ["next", bytes(8)],
  after: 2,
  ttlMs: 10_000,
} as const;

/** Runs a test with the stores of two servers, and a clock. */
async function withStores(
  use: (
    stores: { one: SqliteFolderStore; two: SqliteFolderStore },
    place: { folder: string; clock: { nowMs: number } },
  ) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const clock = { nowMs: 1e6 };
  const nowMs = () => clock.nowMs;
  const one = new SqliteFolderStore(folder, { server: 1, servers: 2, nowMs });
  const two = new SqliteFolderStore(folder, { server: 2, servers: 2, nowMs });
  try {
    await use({ one, two }, { folder, clock });
  } finally {
    await Promise.all([one.close(), two.close()]);
    await Deno.remove(folder, { recursive: true });
  }
}

/** Number of records in a server's file. */
function recordsIn(folder: string, server: number): number {
  const db = new DatabaseSync(fileOf(folder, server));
  const { count } = db.prepare("SELECT count(*) AS count FROM record").get() as { count: number };
  db.close();
  return count;
}

Deno.test("SqliteFolderStore.claim() moves a session's file, and back", async () => {
  await withStores(async ({ one, two }, { folder }) => {
    assert.deepEqual(await one.put([put(0, { replace: true }), put(1)]), ["kept", "kept"]);
    const stored = await two.read("session", "token");
    assert.deepEqual(stored?.records.map((record) => [...record]), [[0], [1]]);
    await one.put([put(2)]); // before the claim
    const news = await two.claim("session", CLAIM);
    assert.deepEqual(news?.map((record) => [...record]), [[2]]);
    assert.deepEqual([recordsIn(folder, 1), recordsIn(folder, 2)], [0, 3]);
    assert.deepEqual(await one.put([put(3)]), ["fenced"]);
    assert.deepEqual(await two.put([put(3, { epoch: 2 })]), ["kept"]);
    assert.equal(await one.claim("session", CLAIM), undefined); // the later claim won
    const back = await one.read("session", "next");
    assert.deepEqual([back?.epoch, back?.records.length], [2, 4]);
    const again = {
      ...CLAIM,
      epoch: 2,
      hash: "next",
      next: ["third", bytes(9)],
      after: 4,
    } as const;
    assert.deepEqual(await one.claim("session", again), []);
    assert.deepEqual(await one.put([put(4, { epoch: 3 })]), ["kept"]);
    assert.deepEqual(await two.put([put(4, { epoch: 2 })]), ["fenced"]);
    assert.deepEqual([recordsIn(folder, 1), recordsIn(folder, 2)], [5, 0]);
  });
});

Deno.test("SqliteFolderStore.put() and read() do not wait for other writers", async () => {
  await withStores(async ({ one, two }, { folder }) => {
    await one.put([put(0, { replace: true })]);
    const writer = new DatabaseSync(fileOf(folder, 1));
    writer.exec("BEGIN IMMEDIATE");
    assert.deepEqual(await two.put([{ ...put(0, { replace: true }), id: "other" }]), ["kept"]);
    assert.equal((await two.read("session", "token"))?.records.length, 1);
    await assert.rejects(one.put([put(1)]), /locked/);
    writer.close();
  });
});

Deno.test("SqliteFolderStore.sweep() deletes what an ended server left", async () => {
  await withStores(async ({ one, two }, { folder, clock }) => {
    await one.put([put(0, { replace: true })]);
    clock.nowMs += 11_000;
    two.sweep(); // its own server does so first
    assert.equal(recordsIn(folder, 1), 1);
    clock.nowMs += 3000;
    two.sweep();
    assert.equal(recordsIn(folder, 1), 0);
  });
});
