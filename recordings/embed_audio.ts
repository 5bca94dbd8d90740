/**
 * Streams a recording: it takes the same step as a live stream, in longer strides, at the priority
 * of a file.
 */
import type { FrameBlock, Want } from "../inference/messages.ts";
import type { EnginePool } from "../inference/pool.ts";

/** Samples pushed ahead of the engine. */
const AHEAD_SAMPLES = 4 * 16_000;
/** Most blocks that may wait for their reader. */
const MAX_BLOCKS = 16;

/**
 * Streams a recording through the pool.
 *
 * @param source at 16 kHz, `[n, channels]`, in pieces that are transferred
 * @param options `channels`: streamed in step, 1 by default; `signal`: aborting it ends the stream
 * @returns the frames in order; `block.want` has the wanted outputs
 * @throws {CpcError} the error of the pool, the model or the source; the signal's reason
 */
export async function* embedAudio(
  pool: EnginePool,
  source: AsyncIterable<Float32Array<ArrayBuffer>>,
  { model, want, channels, signal }: {
    model: string;
    want: Want;
    channels?: number;
    signal?: AbortSignal;
  },
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
    channels,
    priority: "file",
    want,
    onFrames(block) {
      if (block.count > 0 || block.heads) blocks.push(block);
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
