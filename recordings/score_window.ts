/** Runs one window through the pool, and keeps the rows that the objective needs. */
import type { Want } from "../inference/messages.ts";
import type { PoolModel } from "../inference/models.ts";
import type { EnginePool } from "../inference/pool.ts";
import { allSteps, NOTHING } from "../inference/want.ts";

/** The kept rows of a window that is scored at frames `from … to`. */
export interface WindowRows {
  /** z_{from+1} … z_{to−1+K}, `[to − from − 1 + K, Z]` */
  readonly latent: Float32Array;
  /** `[to − from, K, Z]` */
  readonly prediction: Float32Array;
}

/**
 * Computes one window as a recording of its own. Frames before `from` are not sent, and frames
 * after the last needed one are not computed.
 */
export async function computeWindow(
  pool: EnginePool,
  samples: Float32Array<ArrayBuffer>,
  { model: { layout, weights }, reverse, from, to }: {
    model: PoolModel;
    reverse: boolean;
    from: number;
    to: number;
  },
): Promise<WindowRows> {
  const { steps: K, latent: Z } = layout.dims;
  const { hopSamples, lookaheadSamples } = layout.plan;
  const rows = {
    latent: new Float32Array((to - from - 1 + K) * Z),
    prediction: new Float32Array((to - from) * K * Z),
  };
  const want: Want = {
    ...NOTHING,
    latent: true,
    prediction: allSteps(layout.dims),
  };
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {}); // thrown where it is awaited
  const stream = pool.open({
    model: weights.id,
    reverse,
    priority: "file",
    want: from === 0 ? want : NOTHING,
    onFrames({ first, count, data }) {
      for (let i = 0; i < count; i++) {
        const frame = first + i;
        if (frame > from && frame < to + K) {
          rows.latent.set(data.subarray(i * Z, (i + 1) * Z), (frame - from - 1) * Z);
        }
        if (frame < from || frame >= to) continue;
        const at = count * Z + i * K * Z;
        rows.prediction.set(data.subarray(at, at + K * Z), (frame - from) * K * Z);
      }
    },
    onError: broken.reject,
  });
  const samplesFor = (frames: number) =>
    frames === 0 ? 0 : Math.min(samples.length, (frames - 1) * hopSamples + lookaheadSamples);
  const reached = async (promise: Promise<number>) => await Promise.race([promise, broken.promise]);
  try {
    const known = samplesFor(from);
    if (known > 0) {
      stream.push(samples.slice(0, known));
      await reached(stream.drained());
      stream.update(want);
    }
    const end = samplesFor(to + K);
    stream.push(samples.slice(known, end));
    if (end === samples.length) await reached(stream.finish());
    else await reached(stream.drained());
    return rows;
  } finally {
    stream.release();
  }
}
