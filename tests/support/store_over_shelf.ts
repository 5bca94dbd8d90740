/** A shared store of sessions over a {@linkcode Shelf}, for tests that watch what it writes. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import type { Session } from "../../streaming/session/session.ts";
import { SharedResumeStore } from "../../streaming/session/shared_resume_store.ts";
import { layout } from "./sessions.ts";
import { Shelf } from "./shelf.ts";

const WINDOW_S = 60;
/** How long a connected session stays stored: the window, and a margin for its renewals. */
export const LIVE_MS = WINDOW_S * 1000 + 3000;

/** A store over a shelf, what it tells the hub, and a clock that the test moves. */
export async function storeOf({ maxKept = 16 } = {}) {
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

/** What was under way has arrived. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A change that writes a connected session anew. */
export const ANEW = ["replace,record,tokens", LIVE_MS];
