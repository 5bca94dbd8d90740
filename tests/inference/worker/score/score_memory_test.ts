import assert from "node:assert/strict";
import { CpcError } from "../../../../errors.ts";
import { DotRows } from "../../../../inference/worker/score/dot_products.ts";
import { memory } from "../../../../inference/worker/score/dot_products.wasm";
import type { Checkpoint, Lease, Want } from "../../../../inference/messages.ts";
import { completeCheckpoint } from "../../../../inference/saved_heads.ts";
import { StepLoop } from "../../../../inference/worker/step_loop.ts";
import { randomWeights, tinyConfig } from "../../../support/models.ts";
import { createEngine } from "../../../../model/engines/create.ts";

const weights = randomWeights(tinyConfig, 5, "tiny");
const CONTEXT: Want = { context: true, latent: false, prediction: [], score: [], every: 1 };
const SCORE: Want = { ...CONTEXT, score: [1, 2, 3] };
const PAGE_BYTES = 65_536;

/** A loop, and what it reported by lease. */
async function loopOf() {
  const engine = await createEngine("onnx", weights, {
    device: "cpu",
    precision: "fp32",
    threads: 1,
  });
  const failures = new Map<Lease, CpcError>();
  const frames = new Map<Lease, number>();
  const reached: [Lease, number][] = [];
  let checkpoint: Checkpoint | undefined;
  const loop = new StepLoop(new Map([["tiny", engine]]), {
    reports: {
      step(results) {
        for (const { lease, count, checkpoint: made } of results) {
          frames.set(lease, (frames.get(lease) ?? 0) + count);
          if (made?.score) checkpoint = completeCheckpoint(made);
        }
      },
      reached: (lease, id) => void reached.push([lease, id]),
      failed: (lease, error) => void failures.set(lease, error),
    },
  });
  return {
    engine,
    loop,
    failures,
    frames,
    reached,
    checkpoint: () => checkpoint,
    open(lease: Lease, { want, restore }: { want: Want; restore?: Checkpoint }) {
      loop.handle({
        type: "open",
        lease,
        model: "tiny",
        channels: 1,
        priority: "live",
        want,
        restore,
        checkpointHops: 1,
      });
    },
    async hear(...leases: Lease[]) {
      for (const lease of leases) {
        loop.handle({ type: "audio", lease, samples: new Float32Array(1600) });
      }
      while (await loop.step());
    },
    dispose: () => engine.dispose(),
  };
}

Deno.test("StepLoop: streams that end or want no score give its memory back", async () => {
  const { loop, open, hear, checkpoint, dispose } = await loopOf();
  const round = async (generation: number) => {
    const lease = { index: 0, generation };
    open(lease, { want: SCORE, restore: generation > 0 ? checkpoint() : undefined });
    await hear(lease);
    loop.handle({ type: "reset", lease });
    await hear(lease);
    loop.handle({ type: "update", lease, want: CONTEXT });
    await hear(lease);
    loop.handle({ type: "update", lease, want: SCORE });
    await hear(lease);
    if (generation % 2 === 0) return loop.handle({ type: "release", lease });
    // the model overflows: the stream fails
    loop.handle({ type: "audio", lease, samples: new Float32Array(1600).fill(Infinity) });
    while (await loop.step());
  };
  await round(0);
  const bytes = memory.buffer.byteLength;
  // a score takes 0.9 KB: a leak of one kind would be two pages or more
  for (let n = 1; n <= 200; n++) await round(n);
  assert.equal(memory.buffer.byteLength, bytes);
  await dispose();
});

Deno.test("StepLoop: a model that is unloaded gives the memory of its scores back", async () => {
  const { engine, loop, open, hear, dispose } = await loopOf();
  const round = async (generation: number) => {
    const lease = { index: 0, generation };
    open(lease, { want: SCORE });
    await hear(lease);
    loop.handle({ type: "release", lease });
    loop.handle({ type: "remove", models: ["tiny"], done() {} });
    loop.addModel("tiny", { engine });
  };
  await round(0);
  const bytes = memory.buffer.byteLength;
  // the tables of a model take 2 KB: a leak would be several pages
  for (let n = 1; n <= 200; n++) await round(n);
  assert.equal(memory.buffer.byteLength, bytes);
  await dispose();
});

Deno.test("StepLoop: a stream for whose score no memory is left fails alone", async () => {
  const { loop, open, hear, failures, frames, reached, checkpoint, dispose } = await loopOf();
  const [first, second, plain, resumed] = [0, 1, 2, 3].map((index) => ({ index, generation: 0 }));
  open(first, { want: SCORE });
  await hear(first);
  const rows = 65_535 - Math.ceil(memory.buffer.byteLength / PAGE_BYTES);
  // not written to: no memory of the machine
  const most = new DotRows({ count: rows, width: PAGE_BYTES / 4 });
  let left: DotRows[] = [];
  try {
    for (;;) left.push(new DotRows({ count: 1, width: 256 }));
  } catch (thrown) {
    assert.ok(thrown instanceof CpcError && thrown.code === "overloaded");
  }
  open(second, { want: SCORE });
  open(plain, { want: CONTEXT });
  open(resumed, { want: SCORE, restore: checkpoint() });
  assert.equal(failures.get(resumed)?.code, "overloaded");
  for (const lease of [second, plain]) {
    loop.handle({ type: "audio", lease, samples: new Float32Array(160) });
    loop.handle({ type: "drain", lease, id: 7 });
  }
  while (await loop.step());
  assert.deepEqual(reached, [[plain, 7]]);
  await hear(first, second, plain);
  assert.equal(failures.get(second)?.code, "overloaded");
  assert.match(failures.get(second)?.message ?? "", /no memory left for another stream's score/);
  assert.deepEqual([...failures.keys()], [resumed, second]);
  assert.equal(frames.get(first), 19);
  assert.equal(frames.get(plain), 10); // the last of 11 waits for what follows
  for (const rows of [most, ...left]) rows.free();
  left = [];
  loop.handle({ type: "release", lease: first });
  open({ index: 1, generation: 1 }, { want: SCORE }); // takes what the first gave back
  await hear({ index: 1, generation: 1 });
  assert.equal(failures.size, 2);
  await dispose();
});
