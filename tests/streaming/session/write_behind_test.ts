import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { sessionOf } from "../../support/sessions.ts";
import { ANEW, LIVE_MS, settled, storeOf } from "../../support/store_over_shelf.ts";

Deno.test("WriteBehind writes before frames, and renews what is silent", async () => {
  const { store, pass, changes } = await storeOf();
  const session = sessionOf();
  store.issue(session);
  await settled();
  assert.deepEqual(changes(), [ANEW]);
  session.hear(new Uint8Array(320));
  session.hear(new Uint8Array(320));
  assert.deepEqual(changes(), []);
  await settled();
  assert.deepEqual(changes(), [["record", LIVE_MS]]);
  session.hear(new Uint8Array(320));
  store.beforeFrames(session);
  assert.deepEqual(changes(), [["record", LIVE_MS]]);
  store.beforeFrames(session);
  session.select({ output: ["latent"], steps: [1], every: 1 }, 0);
  assert.deepEqual(changes(), [["record", LIVE_MS]], "at once, and nothing that is stored already");
  session.reset();
  assert.deepEqual(changes(), [ANEW]);
  await pass(1500);
  assert.deepEqual(changes(), []);
  await pass(1);
  assert.deepEqual(changes(), [["", LIVE_MS]]);
  await pass(1000);
  assert.deepEqual(changes(), []);
});

Deno.test("WriteBehind renews very many silent sessions in parts, none of them late", async () => {
  const { store, pass, changes } = await storeOf();
  for (let i = 0; i < 7000; i++) store.issue(sessionOf());
  await settled();
  changes();
  await pass(1501);
  const counts = [changes().length];
  for (let look = 0; look < 13; look++) {
    await pass(250);
    counts.push(changes().length);
  }
  assert.deepEqual(counts.slice(0, 7), [...Array(6).fill(1024), 7000 - 6 * 1024 + 0]);
  assert.ok(counts.every((count) => count <= 1024), counts.join());
  assert.ok(counts.reduce((sum, count) => sum + count, 0) > 13_000, "each twice within 5 s");
});

Deno.test("WriteBehind writes to a store that writes at once when frames come", async () => {
  const { store, shelf, pass, changes } = await storeOf();
  shelf.writesAtOnce = true;
  const sessions = [sessionOf(), sessionOf()];
  for (const session of sessions) store.issue(session);
  await settled();
  assert.deepEqual(changes(), [ANEW, ANEW]);
  for (const session of sessions) session.hear(new Uint8Array(320));
  await settled();
  assert.deepEqual(changes(), [], "no frames come of it yet");
  store.beforeFrames(sessions[0]!);
  assert.deepEqual(changes(), [["record", LIVE_MS], ["record", LIVE_MS]]);
  sessions[1]!.hear(new Uint8Array(320));
  await pass(0);
  assert.deepEqual(changes(), [["record", LIVE_MS]], "a look of the clock, where no frames come");
});

Deno.test("WriteBehind.given() waits for the store's connection, not for its answer", async () => {
  const { store, shelf, pass } = await storeOf();
  const written: number[] = [];
  shelf.answers = () => {
    setImmediate(() => written.push(shelf.puts.length)); // as a client of Redis does
    return new Promise(() => {});
  };
  /** What the connection has when it is said to have all. */
  const given = async () => {
    await store.given();
    return written.splice(0);
  };
  const session = sessionOf();
  store.issue(session);
  assert.deepEqual(await given(), [1]);
  session.reset();
  assert.deepEqual(await given(), [2]);
  session.select({ output: ["latent"], steps: [1], every: 1 }, 0);
  assert.deepEqual(await given(), [3]);
  await pass(501);
  await pass(500);
  assert.equal(store.works, false);
  const isTurn = () =>
    Promise.race([
      settled().then(() => true),
      store.given().then(() => false),
    ]);
  assert.equal(await isTurn(), false, "nothing goes to a store that is down");
  shelf.answers = () => Promise.resolve();
  await pass(1);
  assert.deepEqual([store.works, await isTurn()], [true, true]);
  shelf.writesAtOnce = true;
  assert.equal(await isTurn(), false);
});

Deno.test("WriteBehind: two late answers mean down, but not a late thread", async () => {
  const { store, shelf, told, pass, changes } = await storeOf();
  const session = sessionOf();
  store.issue(session);
  await settled();
  const slow = Promise.withResolvers<void>();
  shelf.answers = () => slow.promise;
  session.hear(new Uint8Array(320));
  await pass(5000);
  assert.equal(store.works, true, "the answer may only wait for this thread");
  slow.resolve();
  await pass(5000);
  await pass(5000);
  assert.deepEqual([store.works, told], [true, []]);
  changes();
  const silent = Promise.withResolvers<void>();
  shelf.answers = () => silent.promise;
  session.hear(new Uint8Array(320));
  await settled();
  await pass(501);
  await pass(499);
  assert.equal(store.works, true);
  shelf.calls.length = 0;
  await pass(1);
  await pass(1);
  assert.deepEqual([store.works, told.splice(0)], [false, [false]], "told once");
  assert.match(String(store.problem), /no answer within 1000 ms/);
  assert.deepEqual(shelf.calls, ["probe", "probe"], "asked at every look, and not swept");
  changes();
  session.hear(new Uint8Array(320));
  await pass(2000);
  assert.deepEqual(changes(), [], "nothing is written to a store that is down");
  await assert.rejects(store.redeem("A".repeat(64), { owner: "anna", accept: () => {} }), {
    code: "loading",
    retryAfterMs: 1000,
  });
  shelf.answers = () => Promise.resolve();
  silent.resolve();
  await pass(1);
  assert.deepEqual([store.works, told], [true, [true]]);
  assert.deepEqual(changes(), [ANEW]);
});

Deno.test("WriteBehind: one that fails is down, and gets what it missed", async () => {
  const { store, shelf, told, pass, changes } = await storeOf();
  const session = sessionOf();
  shelf.answers = () => Promise.reject(new Error("disk full"));
  store.issue(session);
  await settled();
  await settled();
  assert.deepEqual([store.works, told.splice(0)], [false, [false]]);
  assert.match(String(store.problem), /disk full/, "the log says why at once");
  await pass(1);
  changes();
  shelf.answers = () => Promise.resolve();
  await pass(1);
  assert.deepEqual([changes(), told], [[ANEW], [true]]);
});

Deno.test("WriteBehind: answers that never come count no more once it is back", async () => {
  const { store, shelf, told, pass } = await storeOf();
  const session = sessionOf();
  store.issue(session);
  await settled();
  shelf.answers = () => new Promise(() => {});
  session.hear(new Uint8Array(320));
  await settled();
  for (let i = 0; i < 3; i++) await pass(600);
  assert.deepEqual([store.works, told.splice(0)], [false, [false]]);
  shelf.answers = () => Promise.resolve();
  for (let i = 0; i < 10; i++) await pass(600);
  assert.deepEqual([store.works, told], [true, [true]]);
});

Deno.test("WriteBehind: one that fails a resume is down", async () => {
  const { store, shelf, told } = await storeOf();
  const token = store.issue(sessionOf());
  await settled();
  shelf.answers = () => Promise.reject(new Error("no route"));
  await assert.rejects(store.redeem(token, { owner: "anna", accept: () => {} }), {
    code: "loading",
  });
  assert.deepEqual([store.works, told], [false, [false]]);
  assert.match(String(store.problem), /no route/);
});

Deno.test("WriteBehind asks a store that answers and takes nothing ever less often", async () => {
  const { store, shelf, told, pass } = await storeOf();
  store.issue(sessionOf());
  await settled();
  const put = shelf.put.bind(shelf);
  shelf.put = () => Promise.reject(new Error("the disk is full"));
  store.issue(sessionOf());
  await settled();
  await pass(250);
  told.length = 0;
  for (let ms = 0; ms < 30_000; ms += 250) await pass(250);
  const failures = told.filter((works) => works === false).length;
  assert.ok(failures >= 10 && failures <= 14, `${failures} warnings`);
  shelf.put = put;
  for (let ms = 0; ms < 3000; ms += 250) await pass(250);
  assert.equal(store.works, true, "it is back within 3 s");
  await pass(5000);
  told.length = 0;
  shelf.put = () => Promise.reject(new Error("gone"));
  store.issue(sessionOf());
  await settled();
  shelf.put = put;
  await pass(250);
  assert.deepEqual(told, [false, true], "at once after a while without a failure");
});

Deno.test("WriteBehind writes anew in parts; too much unanswered is down", async () => {
  const { store, shelf, told, pass, changes } = await storeOf();
  const sessions = Array.from({ length: 20 }, () => sessionOf({ encoding: "f32le" }));
  const heard = new Uint8Array(Float32Array.from({ length: 250_000 }, (_, i) => i / 3e7).buffer);
  for (const session of sessions) {
    store.issue(session);
    session.hear(heard); // a record of 1 MB
  }
  let go = Promise.withResolvers<void>();
  shelf.answers = () => go.promise;
  store.beforeFrames(sessions[0]!);
  assert.equal(store.works, false, "20 MB, of which none is confirmed");
  assert.deepEqual(told, [false]);
  assert.match(String(store.problem), /^17\d{6} bytes wait for its answer/);
  changes();
  shelf.answers = () => Promise.resolve();
  const probe = pass(1);
  shelf.answers = () => go.promise;
  await probe;
  assert.equal(store.works, true);
  assert.equal(changes().length, 5, "until more than 4 MiB wait for their answer");
  for (const length of [5, 5, 5]) {
    const former = go;
    go = Promise.withResolvers<void>();
    former.resolve();
    await settled();
    assert.equal(changes().length, length);
  }
  go.resolve();
  await settled();
  assert.equal(changes().length, 0);
});
