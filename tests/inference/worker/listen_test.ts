import assert from "node:assert/strict";

/** How many pieces of work too late each of some messages was heard. */
async function lateness(): Promise<number[]> {
  const sent = new Int32Array(new SharedArrayBuffer(4 * 200));
  const worker = new Worker(new URL("./listening_worker.ts", import.meta.url), { type: "module" });
  const late: number[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      const say = (n: number) => {
        worker.postMessage("heard?");
        Atomics.store(sent, n, 1); // from here on the message is there
      };
      worker.onerror = ({ error }) => reject(error);
      worker.onmessage = ({ data }: MessageEvent<number | "working">) => {
        if (data !== "working") late.push(data);
        if (late.length === sent.length) resolve();
        else say(late.length);
      };
      worker.postMessage(sent);
    });
  } finally {
    worker.terminate();
  }
  return late;
}

Deno.test("listen() lets every message in that was sent before", async () => {
  // how threads fall into step differs from one to the next
  for (let n = 0; n < 4; n++) {
    const late = await lateness();
    // the runtime itself may hand one over between its sending and the next piece of work
    assert.ok(late.every((pieces) => pieces <= 1), `${late}`);
    assert.ok(late.filter((pieces) => pieces > 0).length <= 4, `${late}`);
  }
});
