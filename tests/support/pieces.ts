/** Recordings that are embedded in pieces. */
import assert from "node:assert/strict";
import type { Want } from "../../inference/messages.ts";
import type { EnginePool } from "../../inference/pool.ts";
import { offlineFrames } from "../../model/architecture.ts";
import type { Weights } from "../../model/weights.ts";
import { embedPieces } from "../../recordings/embed_pieces.ts";
import { withPoolOf } from "./pools.ts";

/** Contexts and latents of every frame. */
export const BOTH: Want = { context: true, latent: true, prediction: [], score: [], every: 1 };

/** Runs a test with a pool of two workers. */
export function withPool(
  weights: Weights,
  use: (pool: EnginePool) => Promise<void>,
  maxStreams = 8,
): Promise<void> {
  return withPoolOf(weights, { workers: 2, maxStreams }, use);
}

/** Samples in chunks of this length. */
export async function* chunked(samples: Float32Array<ArrayBuffer>, length: number) {
  for (let at = 0; at < samples.length; at += length) {
    yield await Promise.resolve(samples.slice(at, at + length));
  }
}

/** Latents and contexts of a recording that was embedded in pieces. */
export async function inPieces(
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
