import assert from "node:assert/strict";
import fc from "fast-check";
import { modelConfigSchema } from "../../../../model/architecture.ts";
import { referenceForward, referencePredictions } from "../../../../model/reference.ts";
import {
  negativeFrame,
  SCORE_BLOCK_FRAMES,
  SCORE_NEGATIVES,
} from "../../../../inference/worker/score/negatives.ts";
import { SCORE_TIE } from "../../../../inference/worker/score/waiting_predictions.ts";
import type { Checkpoint, FrameBlock, Want } from "../../../../inference/messages.ts";
import type { EngineStream } from "../../../../inference/engine_stream.ts";
import type { EnginePool } from "../../../../inference/pool.ts";
import { maxDifference } from "../../../support/golden.ts";
import { randomWeights, tinyConfig } from "../../../support/models.ts";
import { withPoolOf } from "../../../support/pools.ts";
import { random } from "../../../support/stream.ts";

const weights = randomWeights(tinyConfig, 9, "tiny");
const SCORES: Want = { context: false, latent: false, prediction: [], score: [1, 2, 3], every: 1 };
const [FRAMES, SAMPLES] = [200, 32_000];
/** The first frame whose predictions, made 3 frames before, had all their negatives. */
const FIRST = SCORE_NEGATIVES * SCORE_BLOCK_FRAMES - 1 + 3;

function signal(length: number, seed: number): Float32Array<ArrayBuffer> {
  const next = random(seed);
  let loudness = 0.5;
  return Float32Array.from({ length }, (_, i) => {
    if (i % 1600 === 0) loudness = next();
    return (next() * 2 - 1) * loudness;
  });
}

const samples = signal(SAMPLES, 3);

/**
 * What docs/scoring.md tells clients, from the latents and predictions of the plain reference: a
 * row per frame, NaN before `since`.
 */
function expected(
  steps: readonly number[],
  since = 0,
  { model = weights, K = 3, Z = 8 } = {},
): number[][] {
  const { latent, hidden } = referenceForward(model, samples);
  const predictions = referencePredictions(model, hidden);
  const z = (f: number) => latent.data.subarray(f * Z, (f + 1) * Z);
  const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  return Array.from({ length: latent.frames }, (_, t) => {
    const of = steps.map((k) => {
      const s = t - k;
      const last = Math.floor((s + 1) / SCORE_BLOCK_FRAMES);
      if ((last - SCORE_NEGATIVES) * SCORE_BLOCK_FRAMES < since) return { nce: NaN, correct: NaN };
      const prediction = predictions.data.subarray((s * K + k - 1) * Z, (s * K + k) * Z);
      const negatives = Array.from(
        { length: SCORE_NEGATIVES },
        (_, m) => dot(prediction, z(negativeFrame(last - 1 - m))),
      );
      const positive = dot(prediction, z(t));
      const nce = Math.log(negatives.reduce((sum, x) => sum + Math.exp(x - positive), 1));
      const most = Math.max(...negatives);
      return { nce, correct: positive - most > SCORE_TIE * Math.max(1, Math.abs(most)) ? 1 : 0 };
    });
    const nce = of.map((score) => score.nce);
    const row = [
      nce.reduce((sum, x) => sum + x, 0) / steps.length,
      ...nce,
      ...of.map((score) => score.correct),
    ];
    return row.some(Number.isNaN) ? row.fill(NaN) : row;
  });
}

/** Rows by frame; the last column of outputs before the score is skipped. */
class Listener {
  readonly rows = new Map<number, number[]>();
  readonly checkpoints: Checkpoint[] = [];
  readonly stream: EngineStream;

  constructor(pool: EnginePool, want: Want, options: { restore?: Checkpoint } = {}) {
    this.stream = pool.open({
      model: "tiny",
      priority: "live",
      want,
      checkpointHops: 50,
      ...options,
      onFrames: (block, { checkpoint }) => {
        if (checkpoint) this.checkpoints.push(checkpoint);
        this.#keep(block);
      },
      onError: (error) => {
        throw error;
      },
    });
  }

  #keep({ first, count, want, data }: FrameBlock): void {
    const width = 1 + 2 * want.score.length;
    const rows = data.subarray(data.length - count * width);
    for (let i = 0; i < count; i++) {
      this.rows.set(first + i * want.every, [...rows.subarray(i * width, (i + 1) * width)]);
    }
  }

  async push(from: number, to: number, size = 777): Promise<void> {
    for (let at = from; at < to; at += size) {
      this.stream.push(samples.slice(at, Math.min(to, at + size)));
    }
    await this.stream.drained();
  }
}

function assertRows(
  actual: ReadonlyMap<number, number[]>,
  rows: readonly number[][],
  frames: Iterable<number>,
): void {
  for (const frame of frames) {
    const row = actual.get(frame);
    assert.ok(row, `frame ${frame} has no row`);
    if (Number.isNaN(rows[frame][0])) {
      assert.ok(row.every(Number.isNaN), `frame ${frame} should be null`);
    } else {assert.ok(
        maxDifference(row, rows[frame]) <= 1e-3,
        `frame ${frame}: ${row} is not ${rows[frame]}`,
      );}
  }
}

const range = (from: number, to: number, step = 1) =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => from + i * step);

function withPool(use: (pool: EnginePool) => Promise<void>, model = weights): Promise<void> {
  return withPoolOf(model, { workers: 1, maxStreams: 4 }, use);
}

Deno.test("LiveScore: scores are what the documented rule gives the reference", async () => {
  await withPool(async (pool) => {
    const listener = new Listener(pool, { ...SCORES, context: true, prediction: [2] });
    await listener.push(0, SAMPLES);
    assert.equal(await listener.stream.finish(), FRAMES);
    const rows = expected([1, 2, 3]);
    assert.equal(rows.findIndex(([surprise]) => !Number.isNaN(surprise)), FIRST);
    assertRows(listener.rows, rows, range(0, FRAMES));
    listener.stream.release();
  });
});

Deno.test("LiveScore: one step, many steps, and widths of no round number", async () => {
  for (const [K, Z] of [[1, 9], [17, 7], [64, 20]]) {
    const config = modelConfigSchema.parse({
      ...tinyConfig,
      encoder: tinyConfig.encoder.map((layer) => ({ ...layer, channels: Z })),
      predictors: { steps: K, type: "linear" },
    });
    const model = randomWeights(config, K, "tiny");
    await withPool(async (pool) => {
      const steps = K === 1 ? [1] : [1, 2, K - 1, K];
      const listener = new Listener(pool, { ...SCORES, score: steps });
      await listener.push(0, SAMPLES);
      await listener.stream.finish();
      assertRows(listener.rows, expected(steps, 0, { model, K, Z }), range(0, FRAMES));
      listener.stream.release();
    }, model);
  }
});

Deno.test("LiveScore: any chunking gives the same scores, beside other streams too", async () => {
  const rows = expected([1, 2, 3]);
  await withPool(async (pool) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 9000 }), { maxLength: 12 }),
        async (chunks) => {
          const listeners = [
            new Listener(pool, SCORES),
            new Listener(pool, { ...SCORES, latent: true, prediction: [1, 3] }),
          ];
          for (const { stream } of listeners) {
            let at = 0;
            for (const size of [...chunks, SAMPLES]) stream.push(samples.slice(at, at += size));
          }
          for (const { stream, rows: scored } of listeners) {
            await stream.finish();
            assertRows(scored, rows, range(0, FRAMES));
            stream.release();
          }
        },
      ),
      { numRuns: 12 },
    );
  });
});

Deno.test("LiveScore: every sends fewer rows, steps fewer columns; both change", async () => {
  await withPool(async (pool) => {
    const listener = new Listener(pool, { ...SCORES, every: 7 });
    await listener.push(0, 160 * 150);
    assert.deepEqual([...listener.rows.keys()], range(0, 149, 7));
    assertRows(listener.rows, expected([1, 2, 3]), range(0, 149, 7));
    listener.rows.clear();
    listener.stream.update({ ...SCORES, score: [2] });
    await listener.push(160 * 150, SAMPLES);
    await listener.stream.finish();
    assertRows(listener.rows, expected([2]), range(149, FRAMES));
    listener.stream.release();
  });
});

Deno.test("LiveScore: turned on later it scores after a while; reset begins anew", async () => {
  await withPool(async (pool) => {
    const listener = new Listener(pool, { ...SCORES, score: [], context: true });
    await listener.push(0, 160 * 30 + 152);
    listener.rows.clear();
    listener.stream.update(SCORES);
    await listener.push(160 * 30 + 152, SAMPLES);
    await listener.stream.finish();
    const rows = expected([1, 2, 3], 30);
    assert.equal(rows.findIndex(([surprise]) => !Number.isNaN(surprise)), 32 + FIRST);
    assertRows(listener.rows, rows, range(30, FRAMES));
    listener.stream.reset();
    listener.rows.clear();
    await listener.push(0, SAMPLES);
    assertRows(listener.rows, expected([1, 2, 3]), range(0, FRAMES - 1));
    listener.stream.release();
  });
});

Deno.test("LiveScore: turned off and on again it begins anew", async () => {
  await withPool(async (pool) => {
    const listener = new Listener(pool, SCORES);
    await listener.push(0, 160 * 20 + 152);
    listener.stream.update({ ...SCORES, score: [], context: true });
    await listener.push(160 * 20 + 152, 160 * 30 + 152);
    listener.rows.clear();
    listener.stream.update(SCORES);
    await listener.push(160 * 30 + 152, SAMPLES);
    await listener.stream.finish();
    assertRows(listener.rows, expected([1, 2, 3], 30), range(30, FRAMES));
    listener.stream.release();
  });
});

Deno.test("LiveScore: a stream from a checkpoint scores as an unbroken one", async () => {
  await withPool(async (pool) => {
    const listener = new Listener(pool, SCORES);
    await listener.push(0, SAMPLES, 160);
    const rows = expected([1, 2, 3]);
    assert.equal(listener.checkpoints.length, 3); // after 50, 100 and 150 hops
    const { leadSamples, delayFrames } = pool.model("tiny").layout.plan;
    for (const checkpoint of listener.checkpoints) {
      const start = checkpoint.hopsTaken * 160 - leadSamples;
      for (const unsent of [0, 4]) {
        const again = new Listener(pool, { ...SCORES, every: Infinity }, {
          restore: structuredClone(checkpoint),
        });
        if (unsent > 0) await again.push(start, start + 160 * unsent); // heard, not sent
        assert.equal(again.rows.size, 0);
        again.stream.update(SCORES);
        await again.push(start + 160 * unsent, SAMPLES);
        assertRows(
          again.rows,
          rows,
          range(checkpoint.hopsTaken - delayFrames + unsent, FRAMES - 1),
        );
        again.stream.release();
      }
    }
    listener.stream.release();
  });
});
