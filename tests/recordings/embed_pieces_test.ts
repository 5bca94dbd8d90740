import assert from "node:assert/strict";
import fc from "fast-check";
import { CpcError } from "../../errors.ts";
import type { Want } from "../../inference/messages.ts";
import type { EnginePool } from "../../inference/pool.ts";
import { referenceForward } from "../../model/reference.ts";
import { embedPieces } from "../../recordings/embed_pieces.ts";
import { maxDifference } from "../support/golden.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";
import { noise } from "../support/noise.ts";
import { BOTH, chunked, inPieces, withPool } from "../support/pieces.ts";

const tiny = randomWeights(tinyConfig, 3, "tiny");
const LATENT: Want = { ...BOTH, context: false };

Deno.test("embedPieces() gives the reference's frames whatever the pieces and chunks", async () => {
  await withPool(tiny, async (pool) => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          length: fc.integer({ min: 160, max: 9000 }),
          seed: fc.nat(99),
          pieceFrames: fc.integer({ min: 1, max: 9 }),
          chunk: fc.integer({ min: 1, max: 300 }),
        }),
        async ({ length, seed, pieceFrames, chunk }) => {
          const samples = noise(length, seed);
          const { latent, context } = await inPieces(pool, samples, {
            want: BOTH,
            pieceFrames,
            chunk,
          });
          const truth = referenceForward(tiny, samples);
          assert.ok(maxDifference(latent, truth.latent.data) <= 1e-4);
          assert.ok(maxDifference(context, truth.context.data) <= 1e-4);
          assert.equal(pool.streams, 0);
        },
      ),
      { numRuns: 15 },
    );
  });
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

Deno.test("embedPieces() ends with its source or signal, and gives streams back", async () => {
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
