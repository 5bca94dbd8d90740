import assert from "node:assert/strict";
import type { Want } from "../../inference/messages.ts";
import type { EnginePool, PoolOptions } from "../../inference/pool.ts";
import { referenceForward } from "../../model/reference.ts";
import type { Weights } from "../../model/weights.ts";
import { FaultyWorkers } from "../support/faulty_workers.ts";
import { maxDifference } from "../support/golden.ts";
import { fadingHead } from "../support/heads.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";
import { noise } from "../support/noise.ts";
import { withPoolOf } from "../support/pools.ts";

const first = randomWeights(tinyConfig, 51, "first");
const second = randomWeights(tinyConfig, 52, "second");
const headed: Weights = { ...second, heads: [fadingHead({ dims: 6 })] };
const faulty: Weights = { ...second, heads: [fadingHead({ dims: 6, grows: true })] };
const CONTEXT: Want = { context: true, latent: false, prediction: [], score: [], every: 1 };
const SAMPLES = 16_000;

function withPool(
  options: Partial<PoolOptions>,
  use: (pool: EnginePool) => Promise<void>,
): Promise<void> {
  return withPoolOf(first, { workers: 2, maxStreams: 8, ...options }, use);
}

/** A stream of noise that is pushed a tenth at a time. */
function streamOf(pool: EnginePool, weights: Weights, seed: number) {
  const samples = noise(SAMPLES, seed);
  const rows: number[] = [];
  const stream = pool.open({
    model: weights.id,
    priority: "live",
    want: CONTEXT,
    onFrames: ({ data }) => rows.push(...data),
    onError: (error) => assert.fail(error),
  });
  let at = 0;
  return {
    stream,
    push() {
      stream.push(samples.slice(at, at += SAMPLES / 10));
    },
    async finished() {
      stream.push(samples.slice(at));
      await stream.finish();
      stream.release();
      const { context } = referenceForward(weights, samples);
      assert.equal(rows.length, context.data.length);
      assert.ok(maxDifference(rows, context.data) <= 1e-4, weights.id);
    },
  };
}

Deno.test("EnginePool.add() loads a model into every worker beside running streams", async () => {
  await withPool({}, async (pool) => {
    const others = [1, 2].map((seed) => streamOf(pool, first, seed)); // one in each worker
    for (const other of others) other.push();
    const added = pool.add(headed);
    assert.equal(pool.isAdding, true);
    await assert.rejects(pool.add(second), { code: "model_in_use" });
    assert.throws(() => pool.open({ ...opening, model: "second" }), { code: "model_not_found" });
    for (const other of others) other.push();
    await added;
    assert.equal(pool.isAdding, false);
    assert.deepEqual([...pool.models.keys()], ["first", "second"]);
    assert.equal(pool.defaultModel, "first");
    assert.ok(pool.secondsPerHop("second") > 0 && pool.secondsPerRow("second").fading! > 0);
    const news = [3, 4].map((seed) => streamOf(pool, second, seed));
    for (const one of [...others, ...news]) one.push();
    await Promise.all([...others, ...news].map((one) => one.finished()));
  });
});

const opening = {
  model: "first",
  priority: "live" as const,
  want: CONTEXT,
  onFrames: () => {},
  onError: () => {},
};

Deno.test("EnginePool.remove() unloads a model without streams, save the default", async () => {
  await withPool({ workers: 1, models: [first, second] }, async (pool) => {
    const other = streamOf(pool, first, 5);
    other.push();
    for (let again = 0; again < 2; again++) {
      const stream = pool.open({ ...opening, model: "second" });
      assert.equal(pool.streamsOf("second"), 1);
      assert.throws(() => pool.remove("second"), {
        code: "model_in_use",
        message: "1 stream uses the model second; it stays loaded",
      });
      stream.release();
      pool.remove("second");
      other.push();
      assert.throws(() => pool.open({ ...opening, model: "second" }), { code: "model_not_found" });
      assert.throws(() => pool.remove("second"), { code: "model_not_found" });
      await pool.add(second);
    }
    assert.throws(() => pool.remove("first"), { code: "model_in_use", message: /default model/ });
    await streamOf(pool, second, 6).finished();
    await other.finished();
  });
});

Deno.test("EnginePool.add() of a model that an engine refuses changes nothing", async () => {
  await withPool({}, async (pool) => {
    const other = streamOf(pool, first, 7);
    other.push();
    await assert.rejects(pool.add(faulty), { code: "weights_invalid", message: /fading/ });
    assert.deepEqual([...pool.models.keys()], ["first"]);
    await pool.add(headed); // nothing of it is left
    await streamOf(pool, second, 8).finished();
    await other.finished();
  });
});

Deno.test("EnginePool: a worker that comes back has the models of now", async () => {
  const workers = new FaultyWorkers();
  const [back, again] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const third = randomWeights(tinyConfig, 53, "third");
  const times = [back, again];
  const events = { workerRestarted: () => times.shift()?.resolve() };
  const options = { workers: 1, models: [first, second], startWorker: workers.startWorker, events };
  await withPool(options, async (pool) => {
    const stream = streamOf(pool, first, 9);
    stream.push();
    pool.remove("second");
    await pool.add(third);
    workers.break(0, "throw");
    await back.promise;
    await streamOf(pool, third, 10).finished();
    await stream.finished();
    workers.break(1, "throw");
    while (pool.alive > 0) await new Promise((resolve) => setTimeout(resolve, 0));
    const added = pool.add(second); // while the next one is being started, or waits for it
    pool.remove("third");
    await added;
    pool.look();
    await again.promise;
    await streamOf(pool, second, 11).finished();
    assert.deepEqual([...pool.models.keys()], ["first", "second"]);
  });
});
