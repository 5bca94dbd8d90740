/** Cuts a recording into pieces whose latents can be computed in any order. */
import type { StreamingPlan } from "../model/architecture.ts";
import { joinChunks } from "../audio/rechunk.ts";

/** A piece of a recording. */
export interface Piece {
  /** Hops that a stream of the whole recording has taken before the piece's samples. */
  readonly hopsTaken: number;
  /** The first frame that is exact; those before it lack samples. */
  readonly firstFrame: number;
  readonly samples: Float32Array<ArrayBuffer>;
  /** Whether the recording ends with it. */
  readonly last: boolean;
}

/**
 * Frames that a stream gives before its first exact one if it begins in the middle of a signal: as
 * long as a latent still sees samples from before.
 */
export function inexactFrames(plan: StreamingPlan): number {
  const { hopSamples, receptiveFieldSamples, lookaheadSamples, leadSamples, delayFrames } = plan;
  const before = receptiveFieldSamples - lookaheadSamples - leadSamples;
  return Math.max(0, Math.ceil(before / hopSamples) + delayFrames);
}

/**
 * Cuts samples into pieces of `frames` frames; the last has what is left. A piece begins with those
 * samples of the one before that its first frame sees.
 */
export async function* pieces(
  source: AsyncIterable<Float32Array<ArrayBuffer>>,
  { plan, frames }: { plan: StreamingPlan; frames: number },
): AsyncGenerator<Piece> {
  const { hopSamples, leadSamples, delayFrames } = plan;
  const overlap = inexactFrames(plan);
  const hopsBefore = (piece: number) =>
    piece === 0 ? 0 : Math.max(0, piece * frames + delayFrames - overlap);
  const sampleOf = (hops: number) => Math.max(0, hops * hopSamples - leadSamples);
  let chunks: Float32Array<ArrayBuffer>[] = [];
  let held = 0; // samples of `chunks`
  let piece = 0;
  const make = (samples: Float32Array<ArrayBuffer>, last: boolean): Piece => ({
    hopsTaken: hopsBefore(piece),
    firstFrame: piece * frames,
    samples,
    last,
  });
  for await (const chunk of source) {
    chunks.push(chunk);
    held += chunk.length;
    for (;;) {
      const start = sampleOf(hopsBefore(piece));
      const length = sampleOf((piece + 1) * frames + delayFrames) - start;
      // another sample shows that this piece is not the last
      if (held <= length) break;
      const samples = joinChunks(chunks);
      yield make(samples.slice(0, length), false);
      piece++;
      chunks = [samples.slice(sampleOf(hopsBefore(piece)) - start)];
      held = chunks[0]!.length;
    }
  }
  yield make(joinChunks(chunks), true);
}
