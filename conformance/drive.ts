/** Drives an engine as a worker does, for checks that need no worker. */
import type { Engine } from "../model/engine.ts";
import { HopQueue } from "../inference/worker/hop_queue.ts";

/** All frames of one signal. */
export interface Features {
  readonly frames: number;
  /** `[T, Z]`, `[T, C]`, `[T, C]` */
  readonly latent: number[];
  readonly context: number[];
  readonly hidden: number[];
}

/** A stream that its caller steps by hand. */
export class TestStream {
  readonly queue: HopQueue;
  readonly latent: number[] = [];
  readonly context: number[] = [];
  readonly hidden: number[] = [];
  state: Float32Array;
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.queue = new HopQueue(engine.layout);
    this.state = new Float32Array(engine.layout.stateFloats);
  }

  get features(): Features {
    return {
      frames: this.queue.frames,
      latent: this.latent,
      context: this.context,
      hidden: this.hidden,
    };
  }

  /** Takes every hop that is ready, at most `hops` at once. */
  async drain(hops = this.#engine.maxRows): Promise<void> {
    while (this.queue.hopsReady > 0) {
      await stepTogether(
        this.#engine,
        [this],
        this.queue.young ? 1 : Math.min(hops, this.queue.hopsReady),
      );
    }
  }
}

/** One step of several streams, `hops` hops of each. */
export async function stepTogether(
  engine: Engine,
  streams: readonly TestStream[],
  hops: number,
): Promise<void> {
  const { plan, dims, stateFloats } = engine.layout;
  const B = streams.length;
  const samples = new Float32Array(B * hops * plan.hopSamples);
  const state = new Float32Array(B * stateFloats);
  const masks = plan.convs.map((conv) => new Float32Array(B * hops * conv.rowsPerHop));
  const part = (data: Float32Array, b: number) =>
    data.subarray(b * data.length / B, (b + 1) * data.length / B);
  const frames = streams.map((stream, b) => {
    state.set(stream.state, b * stateFloats);
    return stream.queue.take(hops, {
      samples: part(samples, b),
      masks: masks.map((mask) => part(mask, b)),
    });
  });
  const output = await engine.step({ streams: B, hops, samples, state, masks });
  streams.forEach((stream, b) => {
    const { skip, count } = frames[b];
    stream.state = part(output.state, b).slice();
    stream.latent.push(
      ...part(output.latent, b).subarray(skip * dims.latent, (skip + count) * dims.latent),
    );
    stream.context.push(
      ...part(output.context, b).subarray(skip * dims.context, (skip + count) * dims.context),
    );
    stream.hidden.push(
      ...part(output.hidden, b).subarray(skip * dims.context, (skip + count) * dims.context),
    );
  });
}

/**
 * Streams a whole signal in chunks of these lengths (the rest in one), and steps each chunk before
 * the next.
 */
export async function streamWhole(
  engine: Engine,
  samples: Float32Array,
  chunks: readonly number[] = [],
): Promise<Features> {
  const stream = new TestStream(engine);
  let at = 0;
  for (const length of [...chunks, Infinity]) {
    stream.queue.push(samples.slice(at, at + length));
    await stream.drain();
    if ((at += length) >= samples.length) break;
  }
  stream.queue.finish();
  await stream.drain();
  return stream.features;
}
