import assert from "node:assert/strict";
import { CpcError } from "../../errors.ts";
import { referenceForward } from "../../model/reference.ts";
import { embedAudio } from "../../recordings/embed_audio.ts";
import type { Want } from "../../inference/messages.ts";
import type { EnginePool } from "../../inference/pool.ts";
import { maxDifference } from "../support/golden.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";
import { withPoolOf } from "../support/pools.ts";
import { random } from "../support/stream.ts";

const weights = randomWeights(tinyConfig, 3, "tiny");
const want: Want = { context: true, latent: false, prediction: [], score: [], every: 1 };

function withPool(use: (pool: EnginePool) => Promise<void>): Promise<void> {
  return withPoolOf(weights, { workers: 1, maxStreams: 2 }, use);
}

/** Pieces of a second of noise; `taken` counts those that were asked for. */
function noise(seconds: number) {
  const next = random(7);
  const source = {
    taken: 0,
    closed: false,
    async *read() {
      try {
        for (let i = 0; i < seconds; i++) {
          source.taken++;
          yield await Promise.resolve(Float32Array.from({ length: 16_000 }, () => next() - 0.5));
        }
      } finally {
        source.closed = true;
      }
    },
  };
  return source;
}

Deno.test("embedAudio() gives the reference's frames in order", async () => {
  await withPool(async (pool) => {
    const samples = Float32Array.from(
      (await Array.fromAsync(noise(3).read())).flatMap((piece) => [...piece]),
    );
    const rows: number[] = [];
    let expected = 0;
    for await (
      const { first, count, data } of embedAudio(pool, noise(3).read(), { model: "tiny", want })
    ) {
      assert.equal(first, expected);
      expected += count;
      rows.push(...data);
    }
    assert.ok(maxDifference(rows, referenceForward(weights, samples).context.data) <= 1e-4);
    assert.equal(pool.streams, 0);
  });
});

Deno.test("embedAudio() reads only seconds ahead of a reader that stopped", async () => {
  await withPool(async (pool) => {
    const source = noise(1000);
    const frames = embedAudio(pool, source.read(), { model: "tiny", want });
    await frames.next();
    const stream = pool.open({
      model: "tiny",
      priority: "file",
      want,
      onFrames() {},
      onError() {},
    });
    await stream.drained(); // all that the worker was sent before has been stepped
    const before = source.taken;
    for (let i = 0; i < 20; i++) {
      stream.push(new Float32Array(16_000));
      await stream.drained();
    }
    assert.ok(source.taken < 64, `${source.taken} s were read, ${before} of them at first`);
    stream.release();
    await frames.return(undefined);
    assert.deepEqual([pool.streams, source.closed], [0, true]);
  });
});

Deno.test("embedAudio() ends with its source or signal, and gives its stream back", async () => {
  await withPool(async (pool) => {
    async function* broken() {
      yield* noise(1).read();
      throw new CpcError("invalid_audio", "it breaks off");
    }
    await assert.rejects(Array.fromAsync(embedAudio(pool, broken(), { model: "tiny", want })), {
      code: "invalid_audio",
    });
    assert.equal(pool.streams, 0);
    const controller = new AbortController();
    const source = noise(1000);
    const frames = embedAudio(pool, source.read(), {
      model: "tiny",
      want,
      signal: controller.signal,
    });
    await frames.next();
    controller.abort(new RangeError("nobody listens"));
    await assert.rejects(async () => {
      for await (const _ of frames);
    }, RangeError);
    assert.deepEqual([pool.streams, source.closed], [0, true]);
    await assert.rejects(
      Array.fromAsync(embedAudio(pool, noise(1).read(), { model: "none", want })),
      {
        code: "model_not_found",
      },
    );
  });
});
