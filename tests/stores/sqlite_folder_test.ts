import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { fileOf, SqliteFolderStore } from "../../stores/sqlite_folder.ts";
import { SqliteStore } from "../../stores/sqlite_store.ts";
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

interface Stores {
  readonly one: SqliteFolderStore;
  readonly two: SqliteFolderStore;
  readonly three: SqliteFolderStore;
}

/** Runs a test with the stores of three servers, and a clock. */
async function withStores(
  use: (
    stores: Stores,
    place: { folder: string; clock: { nowMs: number } },
  ) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const clock = { nowMs: 1e6 };
  const nowMs = () => clock.nowMs;
  const [one, two, three] = [1, 2, 3].map((server) =>
    new SqliteFolderStore(folder, { server, servers: 3, nowMs })
  ) as [SqliteFolderStore, SqliteFolderStore, SqliteFolderStore];
  try {
    await use({ one, two, three }, { folder, clock });
  } finally {
    await Promise.all([one, two, three].map((store) => store.close()));
    await Deno.remove(folder, { recursive: true });
  }
}

/** Number of records, or other rows, in a server's file. */
function recordsIn(folder: string, server: number, table = "record"): number {
  const db = new DatabaseSync(fileOf(folder, server));
  const { count } = db.prepare(`SELECT count(*) AS count FROM ${table}`).get() as {
    count: number;
  };
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

/** Has something happen once, before or after a method of the store in a server's file. */
async function meanwhile<T>(
  when: "before" | "after",
  { method, server, what }: {
    method: "read" | "rowsOf" | "adopt" | "drop";
    server: number;
    what: () => Promise<unknown>;
  },
  use: () => Promise<T>,
): Promise<T> {
  const methods = SqliteStore.prototype as unknown as Record<
    string,
    (...args: unknown[]) => Promise<unknown>
  >;
  const former = methods[method]!;
  let happened = false;
  methods[method] = async function (this: unknown, ...args) {
    const isIt = !happened && (this as SqliteStore).place.endsWith(`sessions-${server}.db`);
    happened ||= isIt;
    if (isIt && when === "before") await what();
    const result = await former.apply(this, args);
    if (isIt && when === "after") await what();
    return result;
  };
  try {
    return await use();
  } finally {
    methods[method] = former;
    assert.ok(happened);
  }
}

Deno.test("SqliteFolderStore.read() finds a session that moves to a file it has read", async () => {
  await withStores(async ({ one, two, three }) => {
    await two.put([put(0, { replace: true })]);
    const move = { method: "read", server: 1, what: () => one.claim("session", CLAIM) } as const;
    const stored = await meanwhile("after", move, () => three.read("session", "token"));
    assert.deepEqual([stored?.epoch, stored?.records.length], [2, 1]);
    assert.equal(await three.read("session", "no token"), undefined);
  });
});

for (
  const [when, method, server] of [
    ["before", "rowsOf", 1],
    ["after", "rowsOf", 1],
    ["after", "adopt", 2],
  ] as const
) {
  const title = `SqliteFolderStore.claim() loses to a later one ${when} ${method}()`;
  Deno.test(title, async () => {
    await withStores(async ({ one, two, three }, { folder }) => {
      await one.put([put(0, { replace: true }), put(1)]);
      const later = { ...CLAIM, epoch: 2, next: ["third", bytes(9)] } as const;
      let won: unknown;
      const what = async () => won = await three.claim("session", later);
      const claim = () => two.claim("session", CLAIM);
      assert.equal(await meanwhile(when, { method, server, what }, claim), undefined);
      assert.deepEqual(won, []);
      assert.deepEqual([1, 2, 3].map((server) => recordsIn(folder, server)), [0, 0, 2]);
      for (const store of [one, two, three]) {
        assert.equal((await store.read("session", "token"))?.epoch, 3);
      }
      assert.deepEqual(await three.put([put(2, { epoch: 3 })]), ["kept"]);
      assert.notDeepEqual(await two.put([put(2, { epoch: 2 })]), ["kept"]);
    });
  });
}

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

Deno.test("SqliteFolderStore: files that were deleted are made anew", async () => {
  await withStores(async ({ one, two, three }, { folder }) => {
    for (const part of ["", "-wal", "-shm"]) await Deno.remove(fileOf(folder, 1) + part);
    two.sweep();
    assert.throws(() => one.sweep(), /sessions-1\.db was deleted/);
    await one.probe();
    for (const store of [one, two, three]) store.sweep();
    assert.deepEqual(await one.put([put(0, { replace: true })]), ["kept"]);
    assert.equal((await two.read("session", "token"))?.records.length, 1);
    await three.put([{ ...put(0, { replace: true }), id: "other" }]);
    assert.equal((await two.read("other", "token"))?.records.length, 1);
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

Deno.test("SqliteFolderStore.sweep() leaves no row of a session that moved", async () => {
  await withStores(async ({ one, two }, { folder, clock }) => {
    await one.put([put(0, { replace: true })]);
    assert.deepEqual(
      await two.claim("session", { ...CLAIM, after: 0 }).then((news) => news?.length),
      1,
    );
    const rows = () => [1, 2].map((server) => recordsIn(folder, server, "session"));
    assert.deepEqual(rows(), [1, 1], "its former server is told so");
    clock.nowMs += CLAIM.ttlMs;
    for (const store of [one, two]) store.sweep();
    assert.deepEqual(rows(), [0, 0]);
  });
});
