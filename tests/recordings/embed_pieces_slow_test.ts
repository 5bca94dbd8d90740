/** Every architecture starts workers of its own. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { offlineFrames, streamingPlan } from "../../model/architecture.ts";
import { referenceForward } from "../../model/reference.ts";
import { maxDifference } from "../support/golden.ts";
import { anyConfig, randomWeights } from "../support/models.ts";
import { noise } from "../support/noise.ts";
import { BOTH, inPieces, withPool } from "../support/pieces.ts";

Deno.test("embedPieces() gives the reference's frames for any pieces and chunks", async () => {
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
