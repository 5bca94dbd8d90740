import assert from "node:assert/strict";
import { Decoders, type Job } from "../../audio/decoders.ts";
import { CpcError } from "../../errors.ts";
import { fixture } from "./files.ts";

/** Longer than any test: they look themselves, however long a thread takes to start. */
const NEVER_MS = 2 ** 30;
const REQUEST = { type: "measure", maxSeconds: 60, split: false } as const;

/** Decoders whose threads a test can hang or refuse. */
function withDecoders(
  use: (bench: {
    decoders: Decoders;
    threads: Worker[];
    lost: string[];
    refuse: () => void;
  }) => Promise<void>,
): () => Promise<void> {
  return async () => {
    const threads: Worker[] = [];
    const lost: string[] = [];
    let refused = false;
    const decoders = new Decoders({
      most: 2,
      beatMs: NEVER_MS,
      startWorker() {
        if (refused) throw new CpcError("overloaded", "no descriptors");
        const url = new URL("../support/faulty_decoder.ts", import.meta.url);
        const thread = new Worker(url, { type: "module" });
        threads.push(thread);
        return thread;
      },
    });
    decoders.onLost = (reason) => lost.push(reason);
    try {
      await use({ decoders, threads, lost, refuse: () => refused = true });
    } finally {
      decoders.close();
    }
  };
}

/** Measures a file with a job; returns its seconds. */
async function measure(job: Job): Promise<number> {
  const bytes = new Uint8Array(fixture("speech.flac"));
  let sent = false;
  for (;;) {
    const answer = await job.next();
    if (answer.type === "need") {
      job.send({ type: "bytes", bytes: sent ? null : bytes });
      sent = true;
    } else if (answer.type === "info" || answer.type === "progress") {
      continue; // told before the whole is measured
    } else if (answer.type === "done") {
      job.close();
      return answer.summary?.seconds ?? NaN;
    } else assert.fail(answer.type === "error" ? answer.message : answer.type);
  }
}

Deno.test(
  "Decoders.look() finds a decoder that hangs: its files fail, others do not, and it goes for good",
  withDecoders(async ({ decoders, threads, lost }) => {
    const [hung, sound] = [decoders.open(REQUEST), decoders.open(REQUEST)];
    const failure = assert.rejects(measure(hung), { code: "internal", message: /not answer/ });
    threads[0].postMessage({ type: "hang" });
    while (lost.length === 0) {
      decoders.look();
      await new Promise((resolve) => { // the other one has its time to answer
        threads[1].addEventListener("message", resolve, { once: true });
      });
    }
    await failure;
    assert.deepEqual(lost, ["a decoder does not answer"]);
    assert.ok(await measure(sound) > 0.7);
    assert.ok(await measure(decoders.open(REQUEST)) > 0.7);
    assert.ok(await measure(decoders.open(REQUEST)) > 0.7);
  }),
);

Deno.test(
  "Decoders.look() has more patience with a decoder that still loads",
  withDecoders(async ({ decoders, lost }) => {
    const file = decoders.open(REQUEST);
    for (let beats = 0; beats < 50; beats++) decoders.look(); // no message comes in between
    assert.deepEqual(lost, []);
    assert.ok(await measure(file) > 0.7);
    const hopeless = decoders.open(REQUEST);
    for (let beats = 0; beats < 12; beats++) decoders.look(); // it has loaded
    assert.deepEqual(lost, ["a decoder does not answer"]);
    await assert.rejects(measure(hopeless), { code: "internal" });
  }),
);

Deno.test(
  "Decoders.open() takes a busy decoder if no other can be started, and says so if there is none",
  withDecoders(async ({ decoders, threads, refuse }) => {
    const first = decoders.open(REQUEST);
    refuse();
    const second = decoders.open(REQUEST);
    assert.equal(threads.length, 1);
    assert.ok(await measure(first) > 0.7);
    assert.ok(await measure(second) > 0.7);
    decoders.close();
    assert.throws(() => decoders.open(REQUEST), { code: "overloaded" });
  }),
);

Deno.test(
  "Decoders.start() starts all of them before there is a file",
  withDecoders(async ({ decoders, threads, refuse }) => {
    decoders.start();
    assert.equal(threads.length, 2);
    refuse();
    assert.ok(await measure(decoders.open(REQUEST)) > 0.7);
  }),
);
