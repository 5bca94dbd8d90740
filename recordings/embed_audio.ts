/**
 * A recording is a stream that comes fast: the same step, in longer strides, as a file's priority.
 */
import type { FrameBlock, Want } from "../inference/messages.ts";
import type { EnginePool } from "../inference/pool.ts";

/** Samples pushed ahead of the engine. */
const AHEAD_SAMPLES = 4 * 16_000;
/** Blocks that may wait for whoever reads them. */
const MAX_BLOCKS = 16;

/**
 * Streams a recording through the pool.
 *
 * @param source mono at 16 kHz, in pieces that are handed over
 * @param options `signal`: aborting it ends the stream
 * @returns the frames in order; what is wanted of each is in `block.want`
 * @throws {CpcError} what the pool, the model or the source said; the signal's reason
 */
export async function* embedAudio(
  pool: EnginePool,
  source: AsyncIterable<Float32Array<ArrayBuffer>>,
  { model, want, signal }: { model: string; want: Want; signal?: AbortSignal },
): AsyncGenerator<FrameBlock> {
  const blocks: FrameBlock[] = [];
  let failure: { readonly reason: unknown } | undefined;
  let [finished, abandoned] = [false, false];
  let wakeReader = () => {};
  let wakeFeeder = () => {};
  const fail = (reason: unknown) => {
    failure ??= { reason };
    wakeReader();
    wakeFeeder();
  };
  const stream = pool.open({
    model,
    priority: "file",
    want,
    onFrames(block) {
      if (block.count > 0) blocks.push(block);
      wakeReader();
      wakeFeeder();
    },
    onError: fail,
  });
  const ended = () => abandoned || failure !== undefined;
  const feed = async () => {
    for await (const samples of source) {
      if (ended()) return;
      stream.push(samples);
      while (!ended() && (stream.queuedSamples > AHEAD_SAMPLES || blocks.length >= MAX_BLOCKS)) {
        await new Promise<void>((resolve) => wakeFeeder = resolve);
      }
    }
    if (!ended()) await stream.finish();
    finished = true;
    wakeReader();
  };
  const abort = () => fail(signal?.reason);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  const feeding = feed().catch(fail);
  try {
    for (;;) {
      if (failure) throw failure.reason;
      const block = blocks.shift();
      if (block) {
        wakeFeeder();
        yield block;
      } else if (finished) return;
      else await new Promise<void>((resolve) => wakeReader = resolve);
    }
  } finally {
    abandoned = true;
    signal?.removeEventListener("abort", abort);
    stream.release();
    wakeFeeder();
    await feeding;
  }
}
