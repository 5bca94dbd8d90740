import assert from "node:assert/strict";
import { CpcError } from "../../../errors.ts";
import { MemoryResumeStore } from "../../../streaming/session/resume_store.ts";
import { sessionOf } from "../../support/sessions.ts";

/** Keeps a session of an owner, and gives its token. */
function kept(
  store: MemoryResumeStore,
  owner: string,
  expiresAtMs: number,
  { heard = true } = {},
): string {
  const session = sessionOf({ owner });
  if (heard) session.hear(new Uint8Array(2));
  const token = store.issue(session);
  store.keep(session, { expiresAtMs, client: owner });
  return token;
}

async function isKept(store: MemoryResumeStore, owner: string, token: string): Promise<boolean> {
  try {
    await store.redeem(token, { owner, accept: () => {} });
    return true;
  } catch (error) {
    assert.ok(error instanceof CpcError && error.code === "unknown_resume_token");
    return false;
  }
}

Deno.test("MemoryResumeStore.keep() makes room of the client who has most", async () => {
  const store = new MemoryResumeStore({ maxKept: 4 });
  const quiet = kept(store, "quiet", 1);
  const greedy = Array.from({ length: 100 }, (_, i) => kept(store, "greedy", 2 + i));
  const other = kept(store, "other", 200);
  assert.equal(
    await isKept(store, "quiet", quiet),
    true,
    "the oldest of all, and its owner's only",
  );
  assert.equal(await isKept(store, "other", other), true);
  const left = [];
  for (const token of greedy) left.push(await isKept(store, "greedy", token));
  assert.deepEqual(left.flatMap((is, i) => is ? [i] : []), [98, 99]);
});

Deno.test("MemoryResumeStore.keep() drops sessions that heard nothing first", async () => {
  const store = new MemoryResumeStore({ maxKept: 2 });
  const first = kept(store, "a", 1);
  const second = kept(store, "a", 2);
  const silent = [];
  for (let i = 0; i < 100; i++) silent.push(kept(store, "b", 3 + i, { heard: false }));
  assert.equal(await isKept(store, "a", first), true);
  assert.equal(await isKept(store, "a", second), true);
  for (const token of silent) assert.equal(await isKept(store, "b", token), false);
});

Deno.test("MemoryResumeStore.keep() does not count sessions that have a socket", async () => {
  const store = new MemoryResumeStore({ maxKept: 1 });
  const tokens = Array.from({ length: 5 }, () => store.issue(sessionOf({ owner: "a" })));
  const token = kept(store, "b", 1);
  for (const live of tokens) assert.equal(await isKept(store, "a", live), true);
  assert.equal(await isKept(store, "b", token), true);
});

Deno.test("MemoryResumeStore.expire() leaves a session that was resumed in time", async () => {
  const store = new MemoryResumeStore({ maxKept: 4 });
  const token = kept(store, "a", 1000);
  const options = { owner: "a", accept: () => {} };
  const resumed = await store.redeem(token, options);
  store.expire(1000);
  assert.equal((await store.redeem(resumed.token, options)).session, resumed.session);
  store.keep(resumed.session, { expiresAtMs: 2000, client: "a" });
  store.expire(2000);
  await assert.rejects(store.redeem(resumed.token, options), { code: "unknown_resume_token" });
});

Deno.test("MemoryResumeStore.redeem() keeps two tokens; confirm() the newest", async () => {
  const store = new MemoryResumeStore({ maxKept: 4 });
  const session = sessionOf();
  const redeem = async (token: string) =>
    (await store.redeem(token, { owner: "anna", accept: () => {} })).token;
  const first = store.issue(session);
  const second = await redeem(first);
  const third = await redeem(second);
  assert.equal(new Set([first, second, third]).size, 3);
  await assert.rejects(redeem(first), { code: "unknown_resume_token" });
  const fourth = await redeem(second); // its client may never have had the third
  await assert.rejects(redeem(third), { code: "unknown_resume_token" });
  store.confirm(session);
  await assert.rejects(redeem(second), { code: "unknown_resume_token" });
  assert.ok(await redeem(fourth));
  store.drop(session);
  await assert.rejects(redeem(fourth), { code: "unknown_resume_token" });
});
