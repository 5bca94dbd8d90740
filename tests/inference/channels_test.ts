import assert from "node:assert/strict";
import fc from "fast-check";
import { channelBlock } from "../../inference/frame_block.ts";
import type { FrameBlock, Lease, Want } from "../../inference/messages.ts";
import { EnginePool } from "../../inference/pool.ts";
import { StepLoop } from "../../inference/worker/step_loop.ts";
import { referenceForward } from "../../model/reference.ts";
import { frameRows } from "../support/frame_rows.ts";
import { changedEngine } from "../support/changed_engine.ts";
import { maxDifference } from "../support/golden.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";
import { withPoolOf } from "../support/pools.ts";
import { noise } from "../support/noise.ts";

const weights = randomWeights(tinyConfig, 23, "tiny");
const { steps: K } = tinyConfig.predictors ?? assert.fail();
const CONTEXT: Want = { context: true, latent: false, prediction: [], score: [], every: 1 };
const ALL: Want = { context: true, latent: true, prediction: [K], score: [1, K], every: 1 };
/** What the engine of a test cannot bear. */
const BAD = 0.125;

/** Signals of one length, as the samples of one stream. */
function interleaved(signals: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const C = signals.length;
  return Float32Array.from({ length: C * signals[0].length }, (_, i) => signals[i % C][i / C | 0]);
}

/** Chunks of a signal `[n, channels]`, cut after so many samples of each channel. */
function* chunksOf(samples: Float32Array, { channels, lengths }: {
  channels: number;
  lengths: readonly number[];
}): Generator<Float32Array<ArrayBuffer>> {
  for (let at = 0, i = 0; at < samples.length; i++) {
    const end = at + channels * lengths[i % lengths.length];
    yield new Float32Array(samples.slice(at, end));
    at = end;
  }
}

const withPool = (
  options: Parameters<typeof withPoolOf>[1],
  use: Parameters<typeof withPoolOf>[2],
): Promise<void> => withPoolOf(weights, options, use);

/** The rows of every channel of a stream that hears these signals. */
async function stream(
  pool: EnginePool,
  { signals, lengths, want }: {
    signals: readonly Float32Array[];
    lengths: readonly number[];
    want: Want;
  },
): Promise<{ frames: number; rows: [number, number[]][][] }> {
  const channels = signals.length;
  const rows: [number, number[]][][] = signals.map(() => []);
  const failed = Promise.withResolvers<never>();
  const stream = pool.open({
    model: "tiny",
    channels,
    priority: "live",
    want,
    onFrames(block) {
      assert.equal(block.channels, channels);
      for (let c = 0; c < channels; c++) {
        rows[c].push(...frameRows(channelBlock(block, c), pool.model().layout.dims));
      }
    },
    onError: failed.reject,
  });
  for (const chunk of chunksOf(interleaved(signals), { channels, lengths })) {
    stream.push(chunk);
    if (chunk.length % 3 === 0) await Promise.race([stream.drained(), failed.promise]);
  }
  const frames = await Promise.race([stream.finish(), failed.promise]);
  stream.release();
  return { frames, rows };
}

Deno.test("EngineStream: each channel gives what its own stream gives, however cut", async () => {
  await withPool({ workers: 2, maxStreams: 12 }, async (pool) => {
    const lengths = fc.array(fc.integer({ min: 1, max: 2500 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 8 }),
        fc.integer({ min: 0, max: 30_000 }),
        lengths,
        fc.integer({ min: 1, max: 3 }),
        async (channels, length, lengths, every) => {
          const signals = Array.from({ length: channels }, (_, c) => noise(length, c));
          const want = { ...ALL, every };
          const split = await stream(pool, { signals, lengths, want });
          for (const [c, signal] of signals.entries()) {
            if (c % 3 > 0) continue; // each takes time
            const alone = await stream(pool, { signals: [signal], lengths: [1000], want });
            assert.equal(split.frames, alone.frames);
            assert.equal(split.rows[c].length, alone.rows[0].length);
            for (const [i, [frame, row]] of alone.rows[0].entries()) {
              const [at, got] = split.rows[c][i];
              assert.equal(at, frame);
              assert.deepEqual(got.map(Number.isNaN), row.map(Number.isNaN));
              const numbers = (row: number[]) => row.filter((x) => !Number.isNaN(x));
              assert.ok(maxDifference(numbers(got), numbers(row)) <= 1e-4, `${c}: frame ${frame}`);
            }
          }
        },
      ),
      { numRuns: 15 },
    );
    assert.equal(pool.streams, 0);
  });
});

Deno.test("EngineStream: what the other channels hear changes no bit of a channel", async () => {
  await withPool({ workers: 1, maxStreams: 4 }, async (pool) => {
    const signal = noise(12_000, 1);
    const beside = async (other: Float32Array, lengths: readonly number[]) =>
      (await stream(pool, { signals: [other, signal], lengths, want: ALL })).rows[1];
    // messages of a hop, one after the other: steps of the same shape
    const truth = await beside(noise(12_000, 2), [159, 162]);
    assert.ok(truth.length > 70);
    assert.deepEqual(await beside(new Float32Array(12_000), [159, 162]), truth);
    assert.deepEqual(await beside(noise(12_000, 3), [159, 162]), truth);
  });
});

Deno.test("EnginePool.open() counts each channel as a stream, over all workers", async () => {
  await withPool({ workers: 2, maxStreams: 4 }, (pool) => {
    const open = (channels: number) =>
      pool.open({
        model: "tiny",
        channels,
        priority: "live",
        want: CONTEXT,
        onFrames: () => {},
        onError: assert.fail,
      });
    const wide = open(3); // more than one worker's share
    assert.equal(pool.streams, 3);
    const overloaded = (channels: number, count: number) => ({
      code: "overloaded",
      message: `this server takes 4 streams, and a stream of ${channels} channels counts as ` +
        `${channels}: ${count} are in use; try again later`,
    });
    assert.throws(() => open(2), overloaded(2, 3));
    const mono = open(1);
    assert.throws(() => open(1), { code: "overloaded" });
    wide.release();
    const [one, two] = [open(2), open(1)];
    assert.equal(pool.streams, 4);
    for (const stream of [mono, one, two]) stream.release();
    assert.equal(pool.streams, 0);
    assert.throws(() => open(5), overloaded(5, 0));
  });
});

Deno.test("EngineStream.push() refuses an instant without some of its channels", async () => {
  await withPool({ workers: 1, maxStreams: 2 }, (pool) => {
    const stream = pool.open({
      model: "tiny",
      channels: 2,
      priority: "live",
      want: CONTEXT,
      onFrames: () => {},
      onError: assert.fail,
    });
    assert.throws(() => stream.push(new Float32Array(161)), RangeError);
    assert.equal(stream.queuedSamples, 0);
    stream.push(new Float32Array(100));
    assert.equal(stream.queuedSamples, 50);
    stream.release();
  });
});

/** A loop whose engine is a sound one with some changed methods. */
async function loopOf(
  change: Parameters<typeof changedEngine>[1],
) {
  const { sound, engine } = await changedEngine(weights, change);
  const blocks = new Map<number, FrameBlock[]>();
  const failed: string[] = [];
  const loop = new StepLoop(new Map([["tiny", engine]]), {
    reports: {
      step(results, data) {
        for (const { lease, offset, length, ...rest } of results) {
          const block = { ...rest, data: data.slice(offset, offset + length) };
          blocks.set(lease.index, [...blocks.get(lease.index) ?? [], block]);
        }
      },
      reached() {},
      failed: ({ index }, { message }) => failed.push(`${index} ${message}`),
    },
  });
  return {
    failed,
    blocks,
    hear(lease: Lease, { signals, want }: { signals: readonly Float32Array[]; want: Want }) {
      loop.handle({
        type: "open",
        lease,
        model: "tiny",
        channels: signals.length,
        priority: "live",
        want,
        checkpointHops: 0,
      });
      loop.handle({ type: "audio", lease, samples: interleaved(signals) });
      loop.handle({ type: "finish", lease, id: lease.index });
    },
    async run() {
      while (await loop.step());
      await sound.dispose();
    },
  };
}

/** The contexts of a channel of a stream. */
const contextOf = (blocks: readonly FrameBlock[], channel: number) =>
  blocks.flatMap((block) => [...channelBlock(block, channel).data]);

Deno.test("StepLoop: a bad row of one channel fails its whole stream alone", async () => {
  const bad = noise(3000, 9);
  bad[1500] = BAD;
  const lease = (index: number) => ({ index, generation: 1 });
  const { hear, run, blocks, failed } = await loopOf((sound) => ({
    step(input) {
      if (input.samples.includes(BAD)) throw new Error("bad number");
      return sound.step(input);
    },
  }));
  const others = [[1, 2, 3], [4]].map((seeds) => seeds.map((seed) => noise(3000, seed)));
  hear(lease(0), { signals: others[0], want: CONTEXT });
  hear(lease(1), { signals: [noise(3000, 8), bad], want: CONTEXT });
  hear(lease(2), { signals: others[1], want: CONTEXT });
  await run();
  assert.deepEqual(failed, ["1 the model failed on this step: bad number"]);
  for (const [i, signals] of others.entries()) {
    for (const [c, signal] of signals.entries()) {
      const truth = referenceForward(weights, signal).context.data;
      const got = contextOf(blocks.get(2 * i)!, c);
      assert.equal(got.length, truth.length);
      assert.ok(maxDifference(got, truth) <= 1e-4);
    }
  }
});

Deno.test("StepLoop: a bad prediction of one channel fails its whole stream alone", async () => {
  let [calls, bad] = [0, new Float32Array()];
  const { hear, run, blocks, failed } = await loopOf((sound) => ({
    predict(hidden) {
      // the second channel of the first stream, in the second step that predicts
      const C = sound.layout.dims.context;
      if (++calls === 2) bad = hidden.slice(C, 2 * C);
      for (let at = 0; at < hidden.length; at += C) {
        if (bad.length > 0 && bad.every((x, i) => hidden[at + i] === x)) throw new Error("bad row");
      }
      return sound.predict(hidden);
    },
  }));
  const want = { ...CONTEXT, context: false, prediction: [1] };
  hear({ index: 0, generation: 1 }, { signals: [noise(3000, 1), noise(3000, 2)], want });
  hear({ index: 1, generation: 1 }, { signals: [noise(3000, 3), noise(3000, 4)], want });
  await run();
  assert.deepEqual(failed, ["0 the model failed on this step: bad row"]);
  const frames = (blocks.get(1) ?? []).reduce((sum, { count }) => sum + count, 0);
  assert.equal(frames, referenceForward(weights, noise(3000, 3)).context.frames);
});
