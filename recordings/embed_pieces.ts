/**
 * Embeds a long recording on all workers: its latents are computed in pieces, side by side; its
 * contexts follow in order.
 */
import { joinChunks } from "../audio/rechunk.ts";
import { CpcError } from "../errors.ts";
import type { FrameBlock, Want } from "../inference/messages.ts";
import type { EnginePool } from "../inference/pool.ts";
import type { Recurrence } from "../inference/recurrence.ts";
import { type Piece, pieces } from "./pieces.ts";

/** Frames of a piece. It is computed with so few more that they do not count. */
export const PIECE_FRAMES = 1000;
/** Pieces at once for each worker: it goes on with another while one is handed over. */
const PIECES_PER_WORKER = 2;

/** What {@linkcode embedPieces} needs besides the audio. */
export interface PiecesOptions {
  readonly model: string;
  /** Without predictions and scores, of every frame. */
  readonly want: Want;
  readonly recurrence: Recurrence;
  readonly signal?: AbortSignal;
  readonly pieceFrames?: number;
}

/**
 * Streams a recording through all workers of a pool.
 *
 * @param source mono at 16 kHz
 * @returns the frames in order
 * @throws {CpcError} as `embedAudio`
 */
export async function* embedPieces(
  pool: EnginePool,
  source: AsyncIterable<Float32Array<ArrayBuffer>>,
  { model, want, recurrence, signal, pieceFrames = PIECE_FRAMES }: PiecesOptions,
): AsyncGenerator<FrameBlock> {
  const { layout } = pool.model(model);
  const stop = new AbortController();
  const ended = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  let state: Float32Array = new Float32Array(layout.contextFloats);
  /** The oldest first. */
  const underway: Promise<Latents>[] = [];
  const inOrder = async (): Promise<FrameBlock> => {
    const { first, count, latent } = await underway.shift()!;
    const frames = first + count;
    const block = { channels: 1, first, count, frames, want };
    if (!want.context || count === 0) return { ...block, data: latent };
    const next = await recurrence.run({ model, latent, state });
    state = next.state;
    const data = want.latent ? joinChunks([next.context, next.latent]) : next.context;
    return { ...block, data };
  };
  try {
    for await (const piece of pieces(source, { plan: layout.plan, frames: pieceFrames })) {
      signal?.throwIfAborted();
      for (;;) {
        try {
          const latents = latentsOf(pool, piece, { model, signal: ended });
          latents.catch(() => {}); // awaited in its turn
          underway.push(latents);
          break;
        } catch (error) {
          const full = error instanceof CpcError && error.code === "overloaded";
          if (!full || underway.length === 0) throw error;
          yield await inOrder(); // which gives its slot back
        }
      }
      if (underway.length >= PIECES_PER_WORKER * pool.size) yield await inOrder();
    }
    while (underway.length > 0) yield await inOrder();
  } finally {
    stop.abort(new CpcError("internal", "the recording was abandoned"));
    await Promise.allSettled(underway);
  }
}

/** The exact latents of a piece. */
interface Latents {
  readonly first: number;
  readonly count: number;
  /** `[count, Z]` */
  readonly latent: Float32Array<ArrayBuffer>;
}

const LATENT: Want = {
  context: false,
  latent: true,
  prediction: [],
  score: [],
  every: 1,
  latentOnly: true,
};

/**
 * Computes a piece in a stream of its own.
 *
 * @throws {CpcError} at once if the pool has no stream for it; the promise rejects with others
 */
function latentsOf(
  pool: EnginePool,
  { hopsTaken, firstFrame, samples, last }: Piece,
  { model, signal }: { model: string; signal: AbortSignal },
): Promise<Latents> {
  const Z = pool.model(model).layout.dims.latent;
  const parts: Float32Array[] = [];
  const failed = Promise.withResolvers<never>();
  const stream = pool.open({
    model,
    priority: "file",
    want: LATENT,
    restore: hopsTaken > 0 ? { hopsTaken } : undefined,
    onFrames: ({ first, count, data }) => {
      const inexact = Math.min(count, Math.max(0, firstFrame - first));
      parts.push(data.subarray(inexact * Z));
    },
    onError: failed.reject,
  });
  const abort = () => failed.reject(signal.reason);
  signal.addEventListener("abort", abort);
  const compute = async (): Promise<Latents> => {
    try {
      stream.push(samples);
      await Promise.race([failed.promise, last ? stream.finish() : stream.drained()]);
      const latent = joinChunks(parts);
      return { first: firstFrame, count: latent.length / Z, latent };
    } finally {
      signal.removeEventListener("abort", abort);
      stream.release();
    }
  };
  failed.promise.catch(() => {}); // it may come when nobody waits any more
  return compute();
}
