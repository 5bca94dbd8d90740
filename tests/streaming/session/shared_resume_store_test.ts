import assert from "node:assert/strict";
import { layout, sessionOf } from "../../support/sessions.ts";
import { ANEW, LIVE_MS, settled, storeOf } from "../../support/store_over_shelf.ts";

Deno.test("SharedResumeStore.issue() stores a session before its client has the token", async () => {
  const { store, changes } = await storeOf();
  store.issue(sessionOf());
  assert.deepEqual(changes(), [ANEW]);
  await settled();
  assert.deepEqual(changes(), [], "once");
});

Deno.test("SharedResumeStore.keep() leaves a session to the store for the time left", async () => {
  const { store, shelf, now, pass, changes } = await storeOf();
  const session = sessionOf();
  store.issue(session);
  await settled();
  changes();
  store.keep(session, { expiresAtMs: now.ms + 5000 });
  assert.deepEqual(changes(), [["", 5000]]);
  await settled();
  store.confirm(session);
  session.hear(new Uint8Array(320));
  await pass(1501);
  assert.deepEqual(changes(), [], "the store has all of it");
  const other = sessionOf();
  store.issue(other);
  await settled();
  changes();
  shelf.result = "missing";
  store.keep(other, { expiresAtMs: now.ms + 5000 });
  await settled();
  shelf.result = "kept";
  await pass(100);
  assert.deepEqual(changes().at(-1), ["replace,record,tokens", 5000], "the store had lost it");
});

Deno.test("SharedResumeStore lets go of sessions that expired, were dropped or taken", async () => {
  const { store, shelf, told, now, pass, changes } = await storeOf();
  const [expired, dropped, fenced, live] = [1, 2, 3, 4].map(() => sessionOf());
  for (const session of [expired!, dropped!, fenced!, live!]) store.issue(session);
  await settled();
  const { id, epoch } = shelf.puts[1]!;
  shelf.answers = () => new Promise(() => {});
  store.keep(expired!, { expiresAtMs: now.ms + 100 });
  await pass(99);
  changes();
  expired!.hear(new Uint8Array(320));
  await settled();
  assert.equal(changes().length, 1);
  await pass(1);
  expired!.hear(new Uint8Array(320));
  store.drop(dropped!);
  store.drop(dropped!);
  dropped!.hear(new Uint8Array(320));
  await settled();
  assert.deepEqual(changes(), []);
  assert.deepEqual(shelf.calls.filter((call) => call.startsWith("drop")), [`drop ${id} ${epoch}`]);
  shelf.answers = () => Promise.resolve();
  shelf.result = "fenced";
  fenced!.hear(new Uint8Array(320));
  await settled();
  assert.deepEqual(told, [fenced]);
  fenced!.hear(new Uint8Array(320));
  live!.hear(new Uint8Array(320));
  store.beforeFrames(live!);
  assert.equal(changes().length, 2, "one of the fenced one, one of the one that lives");
});

Deno.test("SharedResumeStore.keep() keeps the latest for a store that is down", async () => {
  const { store, shelf, now, pass, changes } = await storeOf({ maxKept: 2 });
  const sessions = Array.from({ length: 5 }, () => sessionOf());
  shelf.answers = () => Promise.reject(new Error("gone"));
  for (const session of sessions) store.issue(session);
  await settled();
  await settled();
  assert.equal(store.works, false);
  for (const [i, session] of sessions.slice(0, 4).entries()) {
    store.keep(session, { expiresAtMs: now.ms + 1000 + i });
  }
  changes();
  shelf.answers = () => Promise.resolve();
  await pass(0);
  const ttls = changes().map(([, ttlMs]) => ttlMs).sort();
  assert.deepEqual(ttls, [1002, 1003, LIVE_MS], "and whoever is connected");
});

Deno.test("SharedResumeStore sweeps every second, and closes when all is stored", async () => {
  const { store, shelf, pass, changes } = await storeOf();
  shelf.calls.length = 0;
  await pass(0);
  await pass(999);
  assert.deepEqual(shelf.calls, ["sweep"]);
  await pass(1);
  assert.deepEqual(shelf.calls.splice(0), ["sweep", "sweep"]);
  store.issue(sessionOf());
  const slow = Promise.withResolvers<void>();
  shelf.answers = () => slow.promise;
  const closed = store.close();
  assert.deepEqual(changes(), [ANEW]);
  await settled();
  assert.deepEqual(shelf.calls, []);
  slow.resolve();
  await closed;
  assert.deepEqual(shelf.calls, ["sweep", "close"]);
});

Deno.test("SharedResumeStore.redeem() reads the newest records, and all if more are needed", async () => {
  const { store, shelf } = await storeOf();
  const session = sessionOf();
  const token = store.issue(session);
  const { hopSamples } = layout.plan;
  for (let samples = 160; samples <= 160_000; samples += 160) { // 10 s in 10 ms each
    session.hear(new Uint8Array(320));
    if (samples % 32_000 === 0) {
      const state = new Float32Array(layout.stateFloats);
      session.history.add({ hopsTaken: samples / hopSamples, state });
    }
    store.beforeFrames(session);
  }
  const redeem = async (token: string, received: number) => {
    const redeemed = await store.redeem(token, { owner: "anna", received, accept: () => {} });
    const { samples, history } = redeemed.session;
    assert.equal(samples, 160_000);
    assert.ok(history.before(received), `frame ${received}`);
    return redeemed;
  };
  const late = await redeem(token, 900);
  assert.deepEqual(shelf.reads.splice(0), [512]);
  assert.ok(late.session.firstFrame > 500, "older records stay closed");
  const early = await redeem(late.token, 3);
  assert.deepEqual(shelf.reads, [512, Infinity]);
  assert.equal(early.session.firstFrame, 0);
});

Deno.test("SharedResumeStore.redeem() says why: token, owner, model, claim", async () => {
  const { store, shelf, told } = await storeOf();
  const session = sessionOf();
  const token = store.issue(session);
  await settled();
  const redeem = (tried: string, owner = "anna", meanwhile = () => {}) =>
    store.redeem(tried, { owner, accept: meanwhile });
  const unknown = { code: "unknown_resume_token", param: "resume" };
  await assert.rejects(redeem("x"), unknown);
  await assert.rejects(redeem("A".repeat(64)), {
    ...unknown,
    message:
      /used before, has expired or belongs to another key, or the store has lost the session/,
  });
  await assert.rejects(redeem(token, "bert"), unknown);
  const [id] = shelf.sessions.keys().toArray() as [string];
  const set = (change: object) => shelf.sessions.set(id, { ...shelf.sessions.get(id)!, ...change });
  await assert.rejects(redeem(token, "anna", () => set({ epoch: 2 })), {
    code: "resumed_elsewhere",
  });
  set({ epoch: 1 });
  let epoch = 0;
  const changing = () => {
    session.reset();
    set({ epoch: ++epoch }); // the shelf does not fence the writer of the reset
  };
  await assert.rejects(redeem(token, "anna", changing), { code: "loading", retryAfterMs: 100 });
  assert.equal(epoch, 2, "it was read anew once");
  set({ epoch: 1 });
  const { session: resumed, token: next } = await redeem(token);
  assert.deepEqual([resumed.segment, resumed.id, resumed.owner], [2, session.id, "anna"]);
  assert.notEqual(next, token);
  assert.deepEqual(told, [], "its former connection is told by the hub");
  store.confirm(resumed);
  await settled();
  await assert.rejects(redeem(token), unknown);
});

Deno.test("SharedResumeStore.redeem() reads anew a session that changed meanwhile", async () => {
  const { store, shelf } = await storeOf();
  const session = sessionOf();
  const token = store.issue(session);
  await settled();
  const read: number[] = [];
  const { session: resumed } = await store.redeem(token, {
    owner: "anna",
    accept({ segment }) {
      if (read.push(segment) > 1) return;
      session.reset();
    },
  });
  assert.deepEqual([read, resumed.segment], [[0, 1], 1]);
  resumed.hear(new Uint8Array(320));
  await settled();
  assert.equal(shelf.puts.at(-1)?.epoch, 3, "both claims count");
});

Deno.test("SharedResumeStore.redeem() reads a session for one resume at a time", async () => {
  const { store, shelf } = await storeOf();
  const tokens = [sessionOf(), sessionOf()].map((session) => store.issue(session));
  await settled();
  let reads = 0;
  const gate = Promise.withResolvers<void>();
  shelf.answers = () => {
    reads++;
    return gate.promise;
  };
  const redeem = (token: string) => store.redeem(token, { owner: "anna", accept: () => {} });
  const same = Array.from({ length: 5 }, () => redeem(tokens[0]!));
  await assert.rejects(redeem(tokens[0]!), { code: "loading", retryAfterMs: 1000 });
  const other = redeem(tokens[1]!);
  await settled();
  assert.equal(reads, 2, "one of each session");
  gate.resolve();
  assert.equal((await other).session.owner, "anna");
  const results = await Promise.allSettled(same);
  assert.ok(
    results.every(({ status }) => status === "fulfilled"),
    "each goes on from the one before",
  );
  await redeem((await redeem(tokens[1]!)).token);
});
