/** A shared store of sessions over a {@linkcode Shelf}, for tests that watch what it writes. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { MODEL_SAMPLE_RATE } from "../../model/architecture.ts";
import { modelLayout } from "../../model/engine.ts";
import { Session } from "../../streaming/session/session.ts";
import { SharedResumeStore } from "../../streaming/session/shared_resume_store.ts";
import { tinyConfig } from "./models.ts";
import { Shelf } from "./shelf.ts";

const layout = modelLayout(tinyConfig);
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

/** A session that has heard nothing. */
export function sessionOf(
  { owner = "anna", encoding = "s16le" as "s16le" | "f32le" } = {},
): Session {
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

/** A change that writes a connected session anew. */
export const ANEW = ["replace,record,tokens", LIVE_MS];
