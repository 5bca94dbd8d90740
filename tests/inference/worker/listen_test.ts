import assert from "node:assert/strict";
import { clearImmediate, setImmediate } from "node:timers";
import { listen } from "../../../inference/listen.ts";
import type { Counts } from "./listening_worker.ts";

/** How many pieces of work too late each of some messages was heard; `counted`: as posted. */
async function lateness({ counted }: { counted: boolean }): Promise<number[]> {
  const sent = new Int32Array(new SharedArrayBuffer(4 * 200));
  const posted = counted ? new Int32Array(new SharedArrayBuffer(4)) : undefined;
  const worker = new Worker(new URL("./listening_worker.ts", import.meta.url), { type: "module" });
  const late: number[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      const say = (n: number) => {
        if (posted) Atomics.add(posted, 0, 1);
        worker.postMessage("heard?");
        Atomics.store(sent, n, 1); // from here on the message is there
      };
      worker.onerror = ({ error }) => reject(error);
      worker.onmessage = ({ data }: MessageEvent<number | "working">) => {
        if (data !== "working") late.push(data);
        if (late.length === sent.length) resolve();
        else say(late.length);
      };
      worker.postMessage({ sent, posted } satisfies Counts);
    });
  } finally {
    worker.terminate();
  }
  return late;
}

for (const counted of [false, true]) {
  const how = counted ? ", and knows that one is on its way" : "";
  Deno.test(`listen() lets every message in that was sent before${how}`, async () => {
    // how threads fall into step differs from one to the next
    for (let n = 0; n < 4; n++) {
      const late = await lateness({ counted });
      // the runtime itself may hand one over between its sending and the next piece of work
      assert.ok(late.every((pieces) => pieces <= 1), `${late}`);
      assert.ok(late.filter((pieces) => pieces > 0).length <= 4, `${late}`);
    }
  });
}

Deno.test("listen() takes a turn only while something is on its way", async () => {
  let turns = 0;
  let counting = setImmediate(function count() {
    turns++;
    counting = setImmediate(count);
  });
  await listen(32, () => false);
  assert.equal(turns, 0);
  await listen(32, () => turns < 3);
  assert.equal(turns, 3);
  await listen(5, () => true);
  assert.equal(turns, 8, "no more than it may");
  clearImmediate(counting);
});
