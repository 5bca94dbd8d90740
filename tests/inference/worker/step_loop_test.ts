import assert from "node:assert/strict";
import { type Engine } from "../../../model/engine.ts";
import { referenceForward } from "../../../model/reference.ts";
import type { Checkpoint, Lease, StepResult, Want } from "../../../inference/messages.ts";
import { POLICY } from "../../../inference/worker/scheduler.ts";
import { completeCheckpoint } from "../../../inference/saved_heads.ts";
import { StepLoop } from "../../../inference/worker/step_loop.ts";
import { maxDifference } from "../../support/golden.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";
import { createEngine } from "../../../model/engines/create.ts";
import { noise } from "../../support/noise.ts";

const weights = randomWeights(tinyConfig, 17, "tiny");
const CONTEXT: Want = { context: true, latent: false, prediction: [], score: [], every: 1 };
const C = tinyConfig.context.hidden;

const STEP_MS = 6;

/** Opens a stream of the loop's model. */
const opening = (lease: Lease) => ({
  type: "open" as const,
  lease,
  model: "tiny",
  channels: 1,
  priority: "live" as const,
  want: CONTEXT,
  checkpointHops: 1,
});

/**
 * A loop whose steps take {@linkcode STEP_MS} of its clock and wait until they are let through, and
 * what it reported: frames `index:generation`, and `reached`.
 */
async function heldLoop(policy = POLICY) {
  const inner = await createEngine("onnx", weights, {
    device: "cpu",
    precision: "fp32",
    threads: 1,
  });
  let hold: PromiseWithResolvers<void> | undefined;
  let begun: PromiseWithResolvers<void> | undefined;
  const engine: Engine = Object.assign(Object.create(inner), {
    layout: inner.layout,
    maxRows: inner.maxRows,
    async step(input: Parameters<Engine["step"]>[0]) {
      latentOnly.push(input.latentOnly === true);
      begun?.resolve();
      await hold?.promise;
      clock.nowMs += STEP_MS;
      return await inner.step(input);
    },
    predict: (hidden: Float32Array) => inner.predict(hidden),
  });
  const clock = { nowMs: 0 };
  const latentOnly: boolean[] = [];
  const events: string[] = [];
  const context = new Map<string, number[]>();
  let passed = 0;
  const checkpoints: (Checkpoint & { leadSamples: number })[] = [];
  const loop = new StepLoop(new Map([["tiny", engine]]), {
    policy,
    nowMs: () => clock.nowMs,
    reports: {
      step(results: StepResult[], data: Float32Array) {
        for (const { lease, count, frames, offset, length, checkpoint } of results) {
          passed = frames;
          if (checkpoint) {
            const { leadSamples } = inner.layout.plan;
            checkpoints.push({ ...completeCheckpoint(checkpoint), leadSamples });
          }
          const name = `${lease.index}:${lease.generation}`;
          if (count > 0) events.push(`frames ${name}`);
          context.set(name, [
            ...context.get(name) ?? [],
            ...data.subarray(offset, offset + length),
          ]);
        }
      },
      reached: (lease, id, frames) =>
        events.push(`reached ${lease.index}:${lease.generation} ${id} ${frames}`),
      failed: (_, error) => {
        throw error;
      },
    },
  });
  return {
    loop,
    clock,
    events,
    context,
    checkpoints,
    /** The frames that the latest stream to get any has passed. */
    frames: () => passed,
    /** Of each step: whether nobody in it wanted more than latents. */
    latentOnly,
    open: (lease: Lease, restore?: Checkpoint) => loop.handle({ ...opening(lease), restore }),
    /** Runs `meanwhile` while a step is computed. */
    async during(meanwhile: () => void) {
      [hold, begun] = [Promise.withResolvers(), Promise.withResolvers()];
      const step = loop.step();
      await begun.promise;
      meanwhile();
      hold.resolve();
      hold = undefined;
      assert.ok(await step);
    },
    async run() {
      while (await loop.step());
    },
    dispose: () => inner.dispose(),
  };
}

function assertContext(got: readonly number[] | undefined, samples: Float32Array) {
  const truth = referenceForward(weights, samples).context.data;
  assert.equal(got?.length, truth.length);
  assert.ok(maxDifference(got ?? [], truth) <= 1e-4);
}

Deno.test("StepLoop: a slot leased again during a step keeps its new state", async () => {
  const { loop, open, during, run, events, context, checkpoints, dispose } = await heldLoop();
  const [first, old, resumed] = [0, 1, 2].map((generation) => ({ index: 0, generation }));
  const samples = noise(8000, 2);
  open(first);
  loop.handle({ type: "audio", lease: first, samples: samples.slice(0, 4800) });
  await run();
  loop.handle({ type: "release", lease: first });
  const restore = checkpoints.at(-1)!;
  const at = restore.hopsTaken * 160 - restore.leadSamples;

  open(old);
  loop.handle({ type: "audio", lease: old, samples: noise(6400, 1) });
  for (let steps = 0; steps < 4; steps++) await loop.step();
  await during(() => {
    loop.handle({ type: "release", lease: old });
    open(resumed, restore);
    loop.handle({ type: "audio", lease: resumed, samples: samples.slice(at) });
    loop.handle({ type: "finish", lease: resumed, id: 7 });
  });
  await run();
  const got = context.get("0:2") ?? [];
  const truth = referenceForward(weights, samples).context.data;
  assert.ok(got.length > 0);
  assert.ok(maxDifference(got, truth.subarray(truth.length - got.length)) <= 1e-4);
  assert.equal(events.at(-1), `reached 0:2 7 ${truth.length / C}`);
  await dispose();
});

Deno.test("StepLoop: a step for latents alone leaves out the context network", async () => {
  const { loop, context: rows, latentOnly, open, run, dispose } = await heldLoop();
  const latents = { index: 0, generation: 1 };
  const want: Want = { ...CONTEXT, context: false, latent: true, latentOnly: true };
  loop.handle({ ...opening(latents), want });
  const samples = noise(8000, 4);
  loop.handle({ type: "audio", lease: latents, samples: samples.slice(0, 4000) });
  await run();
  assert.ok(latentOnly.length > 0 && latentOnly.every((alone) => alone));
  latentOnly.length = 0;
  const other = { index: 1, generation: 1 };
  open(other);
  loop.handle({ type: "audio", lease: latents, samples: samples.slice(4000) });
  loop.handle({ type: "audio", lease: other, samples: samples.slice(0, 4000) });
  for (const lease of [latents, other]) loop.handle({ type: "finish", lease, id: 1 });
  await run();
  assert.ok(latentOnly.includes(false));
  assertContext(rows.get("1:1"), samples.subarray(0, 4000));
  const truth = referenceForward(weights, samples).latent.data;
  assert.equal(rows.get("0:1")?.length, truth.length);
  assert.ok(maxDifference(rows.get("0:1") ?? [], truth) <= 1e-4);
  await dispose();
});

Deno.test("StepLoop: reached waits for the frames of the step under way", async () => {
  const { loop, open, during, run, events, context, dispose } = await heldLoop();
  const lease = { index: 0, generation: 0 };
  const samples = noise(1600, 3);
  open(lease);
  // one hop at a time: each drain comes while its only hop is computed
  for (let id = 0; id < 10; id++) {
    loop.handle({ type: "audio", lease, samples: samples.slice(id * 160, (id + 1) * 160) });
    await during(() => loop.handle({ type: "drain", lease, id }));
    const frames = (context.get("0:0")?.length ?? 0) / C;
    assert.equal(events.at(-1), `reached 0:0 ${id} ${frames}`);
  }
  loop.handle({ type: "finish", lease, id: 10 });
  await run();
  assertContext(context.get("0:0"), samples);
  await dispose();
});

Deno.test("StepLoop: a speaker waits for one short step, and the backlog goes on", async () => {
  const { loop, clock, open, events, context, dispose } = await heldLoop();
  const [speaker, flood] = [0, 1].map((index) => ({ index, generation: 0 }));
  open(speaker);
  open(flood);
  loop.handle({ type: "audio", lease: flood, samples: noise(160_000, 1) });
  for (let spoken = 0; spoken < 50; spoken++) {
    clock.nowMs = Math.max(clock.nowMs, spoken * 20);
    loop.handle({ type: "audio", lease: speaker, samples: noise(320, spoken) });
    const before = events.length;
    await loop.step();
    // a new stream's first steps yield padding
    if (spoken > 0) assert.ok(events.slice(before).includes("frames 0:0"), `message ${spoken}`);
    while (clock.nowMs < spoken * 20 + 20 - STEP_MS) {
      const samples = context.get("1:0")?.length ?? 0;
      await loop.step();
      const frames = ((context.get("1:0")?.length ?? 0) - samples) / C;
      assert.ok(frames <= POLICY.rowsBesidePunctual, `${frames} frames of the backlog in a step`);
    }
  }
  assert.ok((context.get("1:0")?.length ?? 0) / C > 500);
  await dispose();
});

Deno.test("StepLoop: a stream of wide frames gets fewer of them beside a speaker", async () => {
  const Z = tinyConfig.encoder.at(-1)!.channels;
  const every2 = { ...CONTEXT, latent: true, prediction: [1, 3], every: 2 };
  for (const [want, numbersOfFrame] of [[CONTEXT, C], [every2, (C + Z + 2 * Z) / 2]] as const) {
    const { loop, clock, open, frames, dispose } = await heldLoop({
      ...POLICY,
      numbersBesidePunctual: 4 * numbersOfFrame,
    });
    const [speaker, flood] = [0, 1].map((index) => ({ index, generation: 0 }));
    open(speaker);
    loop.handle({ ...opening(flood), want });
    loop.handle({ type: "audio", lease: flood, samples: noise(160_000, 1) });
    clock.nowMs = 1000;
    while (frames() < 20) await loop.step(); // nobody speaks
    loop.handle({ type: "audio", lease: speaker, samples: noise(80, 1) }); // not a hop yet
    for (let n = 0; n < 20; n++) {
      const before = frames();
      await loop.step();
      assert.equal(frames() - before, 4);
    }
    await dispose();
  }
});
