/**
 * The training objective over recordings: windows cut from them are computed by the pool and scored
 * against each other.
 */
import { CpcError } from "../errors.ts";
import { minimumSamples, offlineFrames } from "../model/architecture.ts";
import {
  chooseFrame,
  figuresOf,
  meanFigures,
  type ObjectiveFigures,
  overall,
  scorableFrames,
  totalOf,
} from "../model/objective.ts";
import { seeded } from "../model/seeded.ts";
import type { Gate } from "./gate.ts";
import type { Want } from "../inference/messages.ts";
import type { PoolModel } from "../inference/models.ts";
import type { EnginePool } from "../inference/pool.ts";

/** Bounds of a batch: the work grows with the square of its windows, the memory with its frames. */
export const SCORE_LIMITS = {
  /** Most windows of one batch. */
  windows: 512,
  /** Longest window, in samples. */
  windowSamples: 160_000,
  /** Most predictions of a batch with `times=all`, as floats (windows · frames · K · Z). */
  allFloats: 64 * 1024 * 1024,
} as const;

/** Windows computed side by side. */
const SIDE_BY_SIDE = 8;
const NOTHING: Want = { context: false, latent: false, prediction: [], score: [], every: 1 };

/** Which windows and which of their frames are scored. */
export interface BatchOptions {
  /** Samples at 16 kHz. */
  readonly window: number;
  /** Draws t. */
  readonly seed: number;
  /** This frame instead of a drawn one. */
  readonly t?: number;
  /** One t, as the original, or means over all. */
  readonly times: "one" | "all";
}

/** What a batch gives. */
export interface BatchFigures extends ObjectiveFigures {
  readonly windows: number;
  /** The frames scored at. */
  readonly t: readonly number[];
  /**
   * Of a model with a reversed network: each network's own figures, of which those above are the
   * means.
   */
  readonly forward?: ObjectiveFigures;
  readonly reverse?: ObjectiveFigures;
}

/** A recording to be cut into windows. */
export interface ScoredClip {
  /** At 16 kHz. */
  readonly samples: number;
  /** Mono at 16 kHz, in pieces. */
  read(
    signal?: AbortSignal,
  ): AsyncIterable<Float32Array<ArrayBuffer>> | Iterable<Float32Array<ArrayBuffer>>;
}

/**
 * Scores the windows of recordings as one batch.
 *
 * A model with a reversed network is scored as the original CDCK6: both networks at the same t, the
 * reversed one hearing each window backwards, and means of both. Every network starts from a zero
 * state.
 *
 * @returns the figures, and the longest that one of the windows waited at the gate
 * @throws {CpcError} `invalid_option` for a model without predictors, a t out of range, fewer than
 *   2 windows or too many; `audio_too_short` for a window without a frame to score at
 */
export async function scoreClips(
  pool: EnginePool,
  clips: readonly ScoredClip[],
  { model, options, signal, gate }: {
    model: PoolModel;
    options: BatchOptions;
    signal?: AbortSignal;
    gate?: Gate;
  },
): Promise<{ figures: BatchFigures; queueMs: number }> {
  const { steps: K, latent: Z } = model.layout.dims;
  const { from, to } = framesToScore(model, options);
  const networks = model.reversed ? [{ reverse: false }, { reverse: true }] : [{ reverse: false }];
  const windows = countWindows(clips, options, (to - from) * K * Z * networks.length);
  const batches = networks.map((): WindowRows[] => new Array(windows));
  let queueMs = 0;
  const next = cut(clips, { length: options.window, signal });
  const sides = await Promise.allSettled(
    Array.from({ length: Math.min(SIDE_BY_SIDE, windows) }, async () => {
      for await (const { index, samples } of next) {
        signal?.throwIfAborted();
        const waitsFrom = performance.now();
        const leave = await gate?.enter(signal);
        queueMs = Math.max(queueMs, performance.now() - waitsFrom);
        try {
          for (const [n, { reverse }] of networks.entries()) {
            const heard = reverse ? samples.toReversed() : samples;
            batches[n][index] = await computeWindow(pool, heard, { model, reverse, from, to });
          }
        } finally {
          leave?.();
        }
      }
    }),
  );
  for (const side of sides) if (side.status === "rejected") throw side.reason;
  const each: ObjectiveFigures[] = [];
  for (const batch of batches) each.push(await scoreWindows(batch, { from, to, K, Z, signal }));
  const t = Array.from({ length: to - from }, (_, i) => from + i);
  if (each.length === 1) return { figures: { ...each[0], windows, t }, queueMs };
  return {
    figures: { ...meanFigures(each), windows, t, forward: each[0], reverse: each[1] },
    queueMs,
  };
}

/** The figures of one network's windows: means over the frames scored at. */
async function scoreWindows(
  batch: readonly WindowRows[],
  { from, to, K, Z, signal }: {
    from: number;
    to: number;
    K: number;
    Z: number;
    signal?: AbortSignal;
  },
): Promise<ObjectiveFigures> {
  const each: ObjectiveFigures[] = [];
  for (let i = 0; i < to - from; i++) {
    const future = joined(batch, (rows) => rows.latent.subarray(i * Z, (i + K) * Z));
    const predictions = joined(
      batch,
      (rows) => rows.prediction.subarray(i * K * Z, (i + 1) * K * Z),
    );
    const steps = [];
    for (let k = 1; k <= K; k++) {
      signal?.throwIfAborted();
      steps.push(
        figuresOf(totalOf({ windows: batch.length, steps: K, future, predictions }, k), k),
      );
      await turn(); // live streams share this thread
    }
    each.push(overall(steps));
  }
  return meanFigures(each);
}

/**
 * How many windows the recordings give. @throws {CpcError} `invalid_option` when that is no batch
 */
function countWindows(
  clips: readonly ScoredClip[],
  { window, times }: BatchOptions,
  floatsPerWindow: number,
): number {
  const windows = clips.reduce((sum, { samples }) => sum + Math.floor(samples / window), 0);
  const [least, most] = [2, times === "all" ? mostWindows(floatsPerWindow) : SCORE_LIMITS.windows];
  if (windows >= least && windows <= most) return windows;
  const lengths = clips.slice(0, 8).map(({ samples }) => samples).join(", ") +
    (clips.length > 8 ? ", …" : "");
  throw new CpcError(
    "invalid_option",
    `a batch has ${least} to ${most} windows${
      times === "all" ? " with times=all" : ""
    }; windows of ${window} samples ` +
      `cut from recordings of ${lengths} samples (at 16 kHz) make ${windows}`,
    { param: "window" },
  );
}

/** Most windows of a batch with `times=all`. */
function mostWindows(floatsPerWindow: number): number {
  return Math.max(
    2,
    Math.min(SCORE_LIMITS.windows, Math.floor(SCORE_LIMITS.allFloats / floatsPerWindow)),
  );
}

/** The frames to score at: `from`, and `to` that is no longer one. */
function framesToScore(
  model: PoolModel,
  { window, seed, t, times }: BatchOptions,
): { from: number; to: number } {
  const { config } = model.weights;
  const { steps } = model.layout.dims;
  if (steps === 0) {
    throw new CpcError("invalid_option", "this model has no predictors: it cannot be scored", {
      param: "model",
    });
  }
  if (times === "all" && t !== undefined) {
    throw new CpcError("invalid_option", `times=all scores at every frame: leave out t, got ${t}`, {
      param: "t",
    });
  }
  const frames = offlineFrames(config, window);
  if (frames <= steps) {
    // one frame more for each hop
    const least = minimumSamples(config) + steps * model.layout.plan.hopSamples;
    throw new CpcError(
      "audio_too_short",
      `option window must be ${least} samples or more, for ${
        steps + 1
      } frames (one more than the steps predicted), got ${window}`,
      { param: "window" },
    );
  }
  if (times === "all") return { from: 0, to: scorableFrames({ frames, steps }) };
  const chosen = chooseFrame({ frames, steps }, { t, random: seeded(seed) });
  return { from: chosen, to: chosen + 1 };
}

/** The windows of recordings in order; what is left at a recording's end is dropped. */
async function* cut(
  clips: readonly ScoredClip[],
  { length, signal }: { length: number; signal?: AbortSignal },
): AsyncGenerator<{ index: number; samples: Float32Array<ArrayBuffer> }> {
  let index = 0;
  for (const clip of clips) {
    let window = new Float32Array(length);
    let filled = 0;
    for await (const piece of clip.read(signal)) {
      for (let at = 0; at < piece.length;) {
        const part = piece.subarray(at, at + length - filled);
        window.set(part, filled);
        at += part.length;
        filled += part.length;
        if (filled < length) continue;
        yield { index: index++, samples: window };
        window = new Float32Array(length);
        filled = 0;
      }
    }
  }
}

/** What is kept of a window scored at frames `from … to`. */
interface WindowRows {
  /** z_{from+1} … z_{to−1+K}, `[to − from − 1 + K, Z]` */
  readonly latent: Float32Array;
  /** `[to − from, K, Z]` */
  readonly prediction: Float32Array;
}

/**
 * Computes one window as a recording of its own. Frames before `from` are not sent, frames after
 * the last one needed not computed.
 */
async function computeWindow(
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
    prediction: Array.from({ length: K }, (_, i) => i + 1),
  };
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {}); // thrown where it is waited for
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

/** The same part of every window, one after the other. */
function joined(
  batch: readonly WindowRows[],
  part: (rows: WindowRows) => Float32Array,
): Float32Array {
  const parts = batch.map(part);
  const out = new Float32Array(parts.length * parts[0].length);
  parts.forEach((data, i) => out.set(data, i * data.length));
  return out;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
