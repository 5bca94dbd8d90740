import assert from "node:assert/strict";
import fc from "fast-check";
import { CpcError } from "../../errors.ts";
import { referenceForward } from "../../model/reference.ts";
import type { Checkpoint, FrameBlock, ToWorker, Want } from "../../inference/messages.ts";
import type { EngineStream } from "../../inference/engine_stream.ts";
import { EnginePool } from "../../inference/pool.ts";
import { MODEL_WORKER_RIGHTS } from "../../inference/worker_place.ts";
import { startThread } from "../../threads.ts";
import { maxDifference } from "../support/golden.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";
import { withPoolOf } from "../support/pools.ts";
import { random } from "../support/stream.ts";

const weights = randomWeights(tinyConfig, 9, "tiny");
const CONTEXT: Want = { context: true, latent: false, prediction: [], score: [], every: 1 };

const withPool = (
  options: Parameters<typeof withPoolOf>[1],
  use: Parameters<typeof withPoolOf>[2],
): Promise<void> => withPoolOf(weights, options, use);

function signal(length: number, seed: number): Float32Array<ArrayBuffer> {
  const next = random(seed);
  return Float32Array.from({ length }, () => next() * 2 - 1);
}

function collect(
  pool: EnginePool,
  want = CONTEXT,
): { stream: EngineStream; blocks: FrameBlock[]; errors: CpcError[] } {
  const blocks: FrameBlock[] = [];
  const errors: CpcError[] = [];
  const stream = pool.open({
    model: "tiny",
    priority: "live",
    want,
    onFrames: (block) => blocks.push({ ...block, data: block.data.slice() }),
    onError: (error) => errors.push(error),
  });
  return { stream, blocks, errors };
}

const contexts = (blocks: FrameBlock[]) => blocks.flatMap((block) => Array.from(block.data));

Deno.test("EnginePool.open() streams what the reference computes, tail included", async () => {
  await withPool({ workers: 2, maxStreams: 4 }, async (pool) => {
    const samples = signal(5000, 1);
    const { stream, blocks } = collect(pool);
    for (let at = 0; at < samples.length; at += 777) stream.push(samples.slice(at, at + 777));
    assert.equal(await stream.drained(), Math.floor((5000 - 312) / 160) + 1);
    const frames = await stream.finish();
    const truth = referenceForward(weights, samples);
    assert.equal(frames, truth.context.frames);
    assert.ok(maxDifference(contexts(blocks), truth.context.data) <= 1e-4);
    let next = 0;
    for (const block of blocks) {
      if (block.count > 0) assert.equal(block.first, next);
      next += block.count;
    }
    stream.release();
  });
});

Deno.test("EngineStream: want chooses outputs, steps, every; update changes them", async () => {
  await withPool({ workers: 1, maxStreams: 2 }, async (pool) => {
    const { stream, blocks } = collect(pool, {
      context: true,
      latent: true,
      prediction: [1, 3],
      score: [],
      every: 4,
    });
    const { latent, context, steps } = tinyConfig.predictors
      ? { latent: 8, context: 6, steps: 2 }
      : assert.fail();
    stream.push(signal(4000, 2));
    await stream.drained();
    for (const { first, count, data } of blocks) {
      if (count > 0) assert.equal(first % 4, 0);
      assert.equal(data.length, count * (context + latent + steps * latent));
    }
    assert.equal(blocks.reduce((sum, { count }) => sum + count, 0), Math.ceil(24 / 4));
    stream.update({ ...CONTEXT, latent: true, context: false, every: 1 });
    blocks.length = 0;
    stream.push(signal(160, 3));
    await stream.drained();
    assert.deepEqual(blocks.map(({ first, count, data }) => [first, count, data.length]), [[
      24,
      1,
      latent,
    ]]);
    stream.release();
  });
});

Deno.test("EngineStream.reset() makes a stream as new; a slot starts clean", async () => {
  await withPool({ workers: 1, maxStreams: 1 }, async (pool) => {
    const samples = signal(3000, 4);
    const truth = referenceForward(weights, samples).context.data;
    const { stream, blocks } = collect(pool);
    stream.push(signal(1234, 5));
    await stream.drained();
    stream.reset();
    blocks.length = 0;
    stream.push(samples.slice());
    await stream.finish();
    assert.ok(maxDifference(contexts(blocks), truth) <= 1e-4);
    stream.release();
    const dropped = collect(pool);
    dropped.stream.push(signal(2000, 6));
    dropped.stream.release();
    const next = collect(pool);
    next.stream.push(samples.slice());
    await next.stream.finish();
    assert.ok(maxDifference(contexts(next.blocks), truth) <= 1e-4);
    next.stream.release();
  });
});

Deno.test("EngineStream: a checkpoint restored elsewhere continues exactly", async () => {
  await withPool({ workers: 2, maxStreams: 4 }, async (pool) => {
    const samples = signal(9000, 8);
    const blocks: FrameBlock[] = [];
    const checkpoints: Checkpoint[] = [];
    const first = pool.open({
      model: "tiny",
      priority: "live",
      want: CONTEXT,
      checkpointHops: 7,
      onFrames: (_block, { checkpoint }) => checkpoint && checkpoints.push(checkpoint),
      onError: assert.fail,
    });
    first.push(samples.slice());
    await first.drained();
    first.release();
    const [restore] = checkpoints;
    assert.ok(restore);
    const { hopSamples, leadSamples, delayFrames } = pool.model().layout.plan;
    const second = pool.open({
      model: "tiny",
      priority: "live",
      want: CONTEXT,
      restore,
      onFrames: (block) => blocks.push(block),
      onError: assert.fail,
    });
    second.push(samples.slice(restore.hopsTaken * hopSamples - leadSamples));
    await second.finish();
    second.release();
    const width = pool.model().layout.dims.context;
    const truth = referenceForward(weights, samples).context.data.slice(
      (restore.hopsTaken - delayFrames) * width,
    );
    assert.ok(maxDifference(contexts(blocks), truth) <= 1e-4);
  });
});

Deno.test("EnginePool.open() refuses unknown models and streams beyond its slots", async () => {
  await withPool({ workers: 1, maxStreams: 1 }, async (pool) => {
    const ignore = {
      priority: "live" as const,
      want: CONTEXT,
      onFrames: () => {},
      onError: () => {},
    };
    assert.throws(
      () => pool.open({ model: "other", ...ignore }),
      (error) => error instanceof CpcError && /has tiny/.test(error.message),
    );
    const only = pool.open({ model: "tiny", ...ignore });
    assert.throws(
      () => pool.open({ model: "tiny", ...ignore }),
      (error) => error instanceof CpcError && error.code === "overloaded",
    );
    only.release();
    const next = pool.open({ model: "tiny", ...ignore });
    assert.equal(await next.drained(), 0);
    next.release();
    assert.equal(pool.streams, 0);
  });
});

Deno.test("EngineStream: samples that overflow end their own stream alone", async () => {
  await withPool({ workers: 1, maxStreams: 2 }, async (pool) => {
    const samples = signal(3000, 12);
    const [bad, good] = [collect(pool), collect(pool)];
    bad.stream.push(signal(3000, 13).map((x) => Math.sign(x) * 3e38));
    good.stream.push(samples.slice());
    const ended = bad.stream.drained().catch((error: CpcError) => error.code);
    assert.equal(await good.stream.finish(), referenceForward(weights, samples).context.frames);
    assert.equal(await ended, "invalid_audio");
    assert.equal(bad.errors.length, 1);
    assert.ok(
      maxDifference(contexts(good.blocks), referenceForward(weights, samples).context.data) <= 1e-4,
    );
    good.stream.release();
    assert.equal(pool.streams, 0);
  });
});

Deno.test("EnginePool: random opens, drops, resets and ends never mix two streams", async () => {
  await withPool({ workers: 2, maxStreams: 6 }, async (pool) => {
    const action = fc.record({
      stream: fc.nat(7),
      kind: fc.nat(9),
      length: fc.integer({ min: 1, max: 900 }),
      seed: fc.nat(99),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
        const open = new Map<number, ReturnType<typeof collect> & { heard: number[] }>();
        const check = async (id: number) => {
          const { stream, blocks, heard } = open.get(id)!;
          const frames = await stream.finish();
          stream.release();
          open.delete(id);
          if (heard.length < 159) return assert.equal(frames, 0);
          const truth = referenceForward(weights, Float32Array.from(heard)).context;
          assert.equal(frames, truth.frames);
          assert.ok(maxDifference(contexts(blocks), truth.data) <= 1e-4);
        };
        for (const { stream: id, kind, length, seed } of actions) {
          const entry = open.get(id);
          if (!entry) {
            if (open.size < 6) open.set(id, { ...collect(pool), heard: [] });
          } else if (kind < 6) {
            const samples = signal(length, seed);
            entry.heard.push(...samples);
            entry.stream.push(samples);
          } else if (kind === 6) {
            entry.stream.release();
            open.delete(id);
          } else if (kind === 7) {
            await entry.stream.drained();
            entry.stream.reset();
            entry.heard.length = entry.blocks.length = 0;
          } else if (kind === 8) await check(id);
        }
        for (const id of [...open.keys()]) await check(id);
        assert.equal(pool.streams, 0);
      }),
      { numRuns: 40 },
    );
  });
});

Deno.test("EnginePool.start() says why an engine cannot load, and leaves no worker", async () => {
  const start = EnginePool.start({
    models: [weights],
    engine: "onnx",
    device: "abacus",
    precision: "fp32",
    workers: 2,
    maxStreams: 2,
  });
  await assert.rejects(
    start,
    (error) =>
      error instanceof CpcError && error.code === "invalid_option" && /abacus/.test(error.message),
  );
});

Deno.test("EnginePool.start() gives each worker one thread and its share of streams", async () => {
  const asked: unknown[] = [];
  const startWorker = () => {
    const thread = startThread(
      new URL("../../inference/worker/worker.ts", import.meta.url),
      MODEL_WORKER_RIGHTS,
    );
    const post = thread.postMessage.bind(thread);
    return Object.assign(thread, {
      postMessage(given: ToWorker | ToWorker[], transfer: Transferable[] = []) {
        for (const one of [given].flat()) if (one.type === "load") asked.push(one.options.threads);
        post(given, transfer);
      },
    });
  };
  await withPool({ workers: 2, maxStreams: 3, startWorker }, (pool) => {
    assert.deepEqual(asked, [1, 1]);
    const streams = Array.from({ length: 4 }, () => collect(pool).stream); // two for each
    assert.throws(() => collect(pool), { code: "overloaded" });
    for (const stream of streams) stream.release();
    return Promise.resolve();
  });
});
