import assert from "node:assert/strict";
import fc from "fast-check";
import { CpcError } from "../../errors.ts";
import type { Want } from "../../inference/messages.ts";
import { EnginePool } from "../../inference/pool.ts";
import { offlineFrames, streamingPlan } from "../../model/architecture.ts";
import { referenceForward } from "../../model/reference.ts";
import type { Weights } from "../../model/weights.ts";
import { embedPieces } from "../../recordings/embed_pieces.ts";
import { maxDifference } from "../support/golden.ts";
import { anyConfig, randomWeights, tinyConfig } from "../support/models.ts";
import { random } from "../support/stream.ts";

const tiny = randomWeights(tinyConfig, 3, "tiny");
const BOTH: Want = { context: true, latent: true, prediction: [], score: [], every: 1 };
const LATENT: Want = { ...BOTH, context: false };

async function withPool(
  weights: Weights,
  use: (pool: EnginePool) => Promise<void>,
  maxStreams = 8,
): Promise<void> {
  const pool = await EnginePool.start({
    models: [weights],
    engine: "onnx",
    device: "cpu",
    precision: "fp32",
    workers: 2,
    maxStreams,
  });
  try {
    await use(pool);
  } finally {
    await pool.close();
  }
}

function noise(length: number, seed: number): Float32Array<ArrayBuffer> {
  const next = random(seed);
  return Float32Array.from({ length }, () => next() - 0.5);
}

/** Samples in chunks of this length. */
async function* chunked(samples: Float32Array<ArrayBuffer>, length: number) {
  for (let at = 0; at < samples.length; at += length) {
    yield await Promise.resolve(samples.slice(at, at + length));
  }
}

/** Latents and contexts of a recording that was embedded in pieces. */
async function inPieces(
  pool: EnginePool,
  samples: Float32Array<ArrayBuffer>,
  { want, pieceFrames, chunk = 1000 }: { want: Want; pieceFrames: number; chunk?: number },
): Promise<{ latent: number[]; context: number[] }> {
  const { weights: { id: model }, layout: { dims } } = pool.model();
  const [latent, context]: number[][] = [[], []];
  let expected = 0;
  const blocks = embedPieces(pool, chunked(samples, chunk), {
    model,
    want,
    recurrence: pool.recurrence!,
    pieceFrames,
  });
  for await (const { first, count, frames, data } of blocks) {
    assert.equal(first, expected);
    assert.equal(frames, expected += count);
    const C = want.context ? dims.context : 0;
    context!.push(...data.subarray(0, count * C));
    latent!.push(...data.subarray(count * C));
  }
  assert.equal(expected, offlineFrames(pool.model().weights.config, samples.length));
  return { latent: latent!, context: context! };
}

Deno.test("embedPieces() gives the reference's frames for any architecture, piece and chunk", async () => {
  const lengths = { samples: fc.integer({ min: 1, max: 60 }), extra: fc.nat(50) };
  await fc.assert(
    fc.asyncProperty(
      anyConfig,
      fc.record({
        ...lengths,
        seed: fc.nat(99),
        pieceFrames: fc.integer({ min: 1, max: 9 }),
        chunk: fc.integer({ min: 1, max: 300 }),
      }),
      async (config, { samples: hops, extra, seed, pieceFrames, chunk }) => {
        const weights = randomWeights(config, seed);
        const samples = noise(hops * streamingPlan(config).hopSamples + extra, seed);
        if (offlineFrames(config, samples.length) < 1) return;
        await withPool(weights, async (pool) => {
          const { latent, context } = await inPieces(pool, samples, {
            want: BOTH,
            pieceFrames,
            chunk,
          });
          const truth = referenceForward(weights, samples);
          assert.ok(maxDifference(latent, truth.latent.data) <= 1e-4);
          assert.ok(maxDifference(context, truth.context.data) <= 1e-4);
          assert.equal(pool.streams, 0);
        });
      },
    ),
    { numRuns: 8 },
  );
});

Deno.test("embedPieces() goes on with the streams that it gets, and needs one", async () => {
  const samples = noise(16_000, 5);
  const hold = (pool: EnginePool) =>
    pool.open({ model: "tiny", priority: "live", want: LATENT, onFrames() {}, onError() {} });
  await withPool(tiny, async (pool) => {
    const held = hold(pool);
    const { context } = await inPieces(pool, samples, { want: BOTH, pieceFrames: 10 });
    assert.ok(maxDifference(context, referenceForward(tiny, samples).context.data) <= 1e-4);
    const other = hold(pool);
    await assert.rejects(inPieces(pool, samples, { want: LATENT, pieceFrames: 10 }), {
      code: "overloaded",
    });
    held.release();
    other.release();
  }, 2);
});

Deno.test("embedPieces() ends with its source's error or its signal, and gives its streams back", async () => {
  await withPool(tiny, async (pool) => {
    const options = { model: "tiny", want: BOTH, recurrence: pool.recurrence!, pieceFrames: 10 };
    async function* broken() {
      yield* chunked(noise(16_000, 6), 1000);
      throw new CpcError("invalid_audio", "it breaks off");
    }
    await assert.rejects(Array.fromAsync(embedPieces(pool, broken(), options)), {
      code: "invalid_audio",
    });
    assert.equal(pool.streams, 0);
    const controller = new AbortController();
    const blocks = embedPieces(pool, chunked(noise(160_000, 7), 1000), {
      ...options,
      signal: controller.signal,
    });
    await blocks.next();
    controller.abort(new RangeError("nobody listens"));
    await assert.rejects(Array.fromAsync(blocks), RangeError);
    assert.equal(pool.streams, 0);
    const abandoned = embedPieces(pool, chunked(noise(160_000, 7), 1000), options);
    await abandoned.next();
    await abandoned.return(undefined);
    assert.equal(pool.streams, 0);
    const loud = Float32Array.from({ length: 16_000 }, () => 3e38);
    await assert.rejects(
      Array.fromAsync(embedPieces(pool, chunked(loud, 1000), options)),
      { code: "invalid_audio" },
    );
    assert.equal(pool.streams, 0);
  });
});
