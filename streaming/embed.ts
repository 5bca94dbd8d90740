/** A recording is a stream that comes fast: the same step, in longer strides, as a file's priority. */
import type { FrameBlock, Want } from "./messages.ts";
import type { EnginePool } from "./pool.ts";

/** Seconds pushed ahead of the engine. */
const AHEAD_SAMPLES = 4 * 16_000;
/** Blocks that may wait for whoever reads them. */
const MAX_BLOCKS = 16;

/**
 * Streams a recording through the pool.
 *
 * @param source mono at 16 kHz, in pieces
 * @param options `signal`: aborting it ends the stream
 * @returns the frames in order; what is wanted of each is in `block.want`
 * @throws {CpcError} what the pool or the model said; the signal's reason
 */
export async function* embedAudio(
  pool: EnginePool,
  source: Iterable<Float32Array<ArrayBuffer>>,
  { model, want, signal }: { model: string; want: Want; signal?: AbortSignal },
): AsyncGenerator<FrameBlock> {
  const blocks: FrameBlock[] = [];
  let failure: unknown;
  let done = false;
  let wake = () => {};
  const changed = () => new Promise<void>((resolve) => wake = resolve);
  const stream = pool.open({
    model,
    priority: "file",
    want,
    onFrames(block) {
      if (block.count > 0) blocks.push(block);
      wake();
    },
    onError(error) {
      failure = error;
      wake();
    },
  });
  const abort = () => {
    failure = signal?.reason;
    wake();
  };
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  try {
    const pieces = source[Symbol.iterator]();
    let ended = false;
    while (!failure) {
      while (!ended && stream.queuedSamples < AHEAD_SAMPLES && blocks.length < MAX_BLOCKS) {
        const { value, done: last } = pieces.next();
        if (!last) {
          stream.push(value);
          continue;
        }
        ended = true;
        stream.finish().then(() => done = true, (error) => failure = error).finally(() => wake());
      }
      if (blocks.length > 0) yield blocks.shift()!;
      else if (done) return;
      else await changed();
    }
    throw failure;
  } finally {
    signal?.removeEventListener("abort", abort);
    stream.release();
  }
}
