import assert from "node:assert/strict";
import { DECODER_RIGHTS } from "../audio/decoders.ts";
import { MODEL_WORKER_RIGHTS } from "../inference/worker_place.ts";
import { supervisorRights } from "../processes/supervise_apart.ts";
import { SCORE_RIGHTS } from "../recordings/score_apart.ts";
import { SIGNAL_THREAD_RIGHTS } from "../signals.ts";
import { startThread, type ThreadRights } from "../threads.ts";

/** What a thread with these rights can do of what it tries. */
async function attempts(rights: ThreadRights): Promise<Record<string, string>> {
  const thread = startThread(new URL("./support/curious_thread.ts", import.meta.url), rights);
  try {
    return await new Promise((resolve, reject) => {
      thread.onmessage = ({ data }) => resolve(data);
      thread.onerror = ({ message }) => reject(new Error(message));
      thread.postMessage(null);
    });
  } finally {
    thread.terminate();
  }
}

for (const [name, rights] of Object.entries({ decoder: DECODER_RIGHTS, scorer: SCORE_RIGHTS })) {
  Deno.test(`startThread(): a ${name} can neither read nor write nor reach anything`, async () => {
    const outcomes = await attempts(rights);
    assert.deepEqual([...new Set(Object.values(outcomes))], ["denied"], JSON.stringify(outcomes));
  });
}

Deno.test("startThread(): a model worker reaches no network, writes and runs nothing", async () => {
  const outcomes = await attempts(MODEL_WORKER_RIGHTS);
  for (const name of ["connect", "listen", "write", "run", "runDeno"]) {
    assert.equal(outcomes[name], "denied", name);
  }
});

Deno.test("startThread(): the thread of signals can load a library alone", async () => {
  const { ffi, ...others } = await attempts(SIGNAL_THREAD_RIGHTS);
  assert.equal(ffi, "could");
  assert.deepEqual([...new Set(Object.values(others))], ["denied"], JSON.stringify(others));
});

Deno.test("startThread(): a supervisor's thread can start Deno alone", async () => {
  const { run, runDeno, ffi, sys } = await attempts(supervisorRights(() => undefined));
  assert.deepEqual([run, runDeno, ffi, sys], ["denied", "could", "denied", "denied"]);
});

Deno.test("supervisorRights(): where the loader knows other libraries, it can start any", async () => {
  const rights = supervisorRights((name) => name === "LD_PRELOAD" ? "/libraries" : undefined);
  const { run, runDeno, ffi } = await attempts(rights);
  assert.deepEqual([run, runDeno, ffi], ["could", "could", "denied"]);
});
