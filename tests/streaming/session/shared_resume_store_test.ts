import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { MODEL_SAMPLE_RATE } from "../../../model/architecture.ts";
import { modelLayout } from "../../../model/engine.ts";
import { Session } from "../../../streaming/session/session.ts";
import { SharedResumeStore } from "../../../streaming/session/shared_resume_store.ts";
import { tinyConfig } from "../../support/models.ts";
import { Shelf } from "../../support/shelf.ts";

const layout = modelLayout(tinyConfig);
const WINDOW_S = 60;
/** How long a connected session stays stored: the window, and a margin for its renewals. */
const LIVE_MS = WINDOW_S * 1000 + 3000;

/** A store over a shelf, what it tells the hub, and a clock that the test moves. */
async function storeOf({ maxKept = 16 } = {}) {
  const shelf = new Shelf();
  const told: (Session | boolean)[] = [];
  const now = { ms: 1_000_000 };
  const store = new SharedResumeStore(shelf, {
    resumeWindowS: WINDOW_S,
    maxKept,
    outlives: true,
    model: (id) => id === "tiny" ? { layout, fingerprint: "f" } : undefined,
    nowMs: () => now.ms,
  });
  store.listen({ lost: (session) => told.push(session), changed: (works) => told.push(works) });
  await store.start();
  assert.deepEqual([store.works, told.splice(0)], [true, [true]]);
  /** Lets time pass, and what was under way arrive. */
  const pass = async (ms: number) => {
    now.ms += ms;
    store.expire(now.ms);
    await settled();
  };
  /** The changes since the last call: `replace`, `record` and `tokens` by name, where given. */
  const changes = () =>
    shelf.puts.splice(0).map(({ replace, record, tokens, ttlMs }) => [
      [replace && "replace", record && "record", tokens && "tokens"].filter(Boolean).join(),
      ttlMs,
    ]);
  return { shelf, told, now, store, pass, changes };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

function sessionOf({ owner = "anna", encoding = "s16le" as "s16le" | "f32le" } = {}): Session {
  return new Session({
    model: "tiny",
    encoding,
    sample_rate: MODEL_SAMPLE_RATE,
    channels: 1,
    output: ["context"],
    steps: [1],
    every: 1,
    format: "json",
    dtype: "f32",
  }, { owner, layout, nowMs: 0 });
}

const ANEW = ["replace,record,tokens", LIVE_MS];

Deno.test("SharedResumeStore writes before frames, and renews what is silent", async () => {
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

Deno.test("SharedResumeStore writes what all streams heard with the next frames, to a store that writes at once", async () => {
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

Deno.test("SharedResumeStore: two late answers mean down, but not a late thread", async () => {
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

Deno.test("SharedResumeStore: one that fails is down, and gets what it missed", async () => {
  const { store, shelf, told, pass, changes } = await storeOf();
  const session = sessionOf();
  store.issue(session);
  shelf.answers = () => Promise.reject(new Error("disk full"));
  await settled();
  await settled();
  assert.deepEqual([store.works, told.splice(0)], [false, [false]]);
  await pass(1);
  assert.match(String(store.problem), /disk full/);
  changes();
  shelf.answers = () => Promise.resolve();
  await pass(1);
  assert.deepEqual([changes(), told], [[ANEW], [true]]);
});

Deno.test("SharedResumeStore writes anew in parts; too much unanswered is down", async () => {
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

Deno.test("SharedResumeStore.keep() keeps the latest for a store that is down", async () => {
  const { store, shelf, now, pass, changes } = await storeOf({ maxKept: 2 });
  const sessions = Array.from({ length: 5 }, () => sessionOf());
  for (const session of sessions) store.issue(session);
  shelf.answers = () => Promise.reject(new Error("gone"));
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

Deno.test("SharedResumeStore.redeem() says why: token, owner, model, claim", async () => {
  const { store, shelf, told } = await storeOf();
  const session = sessionOf();
  const token = store.issue(session);
  await settled();
  const redeem = (tried: string, owner = "anna", meanwhile = () => {}) =>
    store.redeem(tried, { owner, accept: meanwhile });
  const unknown = { code: "unknown_resume_token", param: "resume" };
  await assert.rejects(redeem("x"), unknown);
  await assert.rejects(redeem("A".repeat(64)), unknown);
  await assert.rejects(redeem(token, "bert"), unknown);
  const [id] = shelf.sessions.keys().toArray() as [string];
  const set = (change: object) => shelf.sessions.set(id, { ...shelf.sessions.get(id)!, ...change });
  await assert.rejects(redeem(token, "anna", () => set({ epoch: 2 })), {
    code: "resumed_elsewhere",
  });
  set({ epoch: 1 });
  await assert.rejects(redeem(token, "anna", () => session.reset()), {
    code: "loading",
    retryAfterMs: 100,
  });
  set({ epoch: 1 });
  const { session: resumed, token: next } = await redeem(token);
  assert.deepEqual([resumed.segment, resumed.id, resumed.owner], [1, session.id, "anna"]);
  assert.notEqual(next, token);
  assert.deepEqual(told, [], "its former connection is told by the hub");
  store.confirm(resumed);
  await settled();
  await assert.rejects(redeem(token), unknown);
});
