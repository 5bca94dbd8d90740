/**
 * The training objective over recordings: the pool computes windows cut from them, which are then
 * scored against each other.
 */
import { rechunk } from "../audio/rechunk.ts";
import type { PoolModel } from "../inference/models.ts";
import type { EnginePool } from "../inference/pool.ts";
import { meanFigures, type ObjectiveFigures } from "../model/objective.ts";
import { SIDE_BY_SIDE } from "./clips.ts";
import { type Door, TimedGate } from "./gate.ts";
import type { BatchOptions } from "./score_options.ts";
import { countWindows, framesToScore } from "./score_plan.ts";
import type { MemoryShare } from "./memory_budget.ts";
import { scoreApart } from "./score_apart.ts";
import { computeWindow, type WindowRows } from "./score_window.ts";

/** The figures of a batch. */
export interface BatchFigures extends ObjectiveFigures {
  readonly windows: number;
  /** The scored frames. */
  readonly t: readonly number[];
  /**
   * For a model with a reversed network: each network's own figures; those above are their means.
   */
  readonly forward?: ObjectiveFigures;
  readonly reverse?: ObjectiveFigures;
}

/** A recording to cut into windows. */
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
 * A model with a reversed network is scored like the original CDCK6: both networks at the same t,
 * the reversed one on each window played backwards, and the means of both. Every network starts
 * from a zero state.
 *
 * @returns the figures, and the longest wait of a window at the gate
 * @throws {CpcError} `overloaded` if there is no memory for the batch; `invalid_option` for a model
 *   without predictors, a t out of range, fewer than 2 windows or too many; `audio_too_short` for a
 *   window without a frame to score at
 */
export async function scoreClips(
  pool: EnginePool,
  clips: readonly ScoredClip[],
  { model, options, signal, gate, threads, memory }: {
    model: PoolModel;
    options: BatchOptions;
    /** Aborting it ends the streams and the scoring. */
    signal?: AbortSignal;
    gate?: Door;
    /** Bounds the threads that score at once. */
    threads?: Door;
    /** Where the batch is accounted for. */
    memory?: MemoryShare;
  },
): Promise<{ figures: BatchFigures; queueMs: number }> {
  const { steps: K, latent: Z } = model.layout.dims;
  const { from, to } = framesToScore(model, options);
  const networks = (model.reversed ? [false, true] : [false]).map((reverse) => ({
    reverse,
    rows: [] as WindowRows[],
  }));
  const windows = countWindows(clips, options, (to - from) * K * Z * networks.length);
  memory?.take(batchBytes({ windows, times: to - from, K, Z }) * networks.length);
  const timedGate = new TimedGate(gate);
  const next = cut(clips, { length: options.window, signal });
  const sides = await Promise.allSettled(
    Array.from({ length: Math.min(SIDE_BY_SIDE, windows) }, async () => {
      for await (const { index, samples } of next) {
        signal?.throwIfAborted();
        const leave = await timedGate.enter(signal);
        try {
          for (const { reverse, rows } of networks) {
            const heard = reverse ? samples.toReversed() : samples;
            rows[index] = await computeWindow(pool, heard, { model, reverse, from, to });
          }
        } finally {
          leave();
        }
      }
    }),
  );
  for (const side of sides) if (side.status === "rejected") throw side.reason;
  const each: ObjectiveFigures[] = [];
  for (const { rows } of networks) {
    const leave = await threads?.enter(signal);
    try {
      each.push(await scoreApart({ rows, from, to, K, Z }, signal));
    } finally {
      leave?.();
    }
  }
  const t = Array.from({ length: to - from }, (_, i) => from + i);
  const [forward, reverse] = each;
  const both = reverse === undefined ? {} : { forward, reverse };
  return {
    figures: { ...meanFigures(each), windows, t, ...both },
    queueMs: timedGate.longestWaitMs,
  };
}

/** Memory of one network's batch: its rows, those of a frame in a row, and a matrix of scores. */
export function batchBytes(
  { windows: N, times, K, Z }: { windows: number; times: number; K: number; Z: number },
): number {
  const rows = N * Z * (times - 1 + K + times * K);
  const inARow = 2 * N * K * Z;
  return 4 * (rows + inARow) + 8 * N * N;
}

/** The windows of recordings in order; the rest of each recording is dropped. */
async function* cut(
  clips: readonly ScoredClip[],
  { length, signal }: { length: number; signal?: AbortSignal },
): AsyncGenerator<{ index: number; samples: Float32Array<ArrayBuffer> }> {
  let index = 0;
  for (const clip of clips) {
    for await (const samples of rechunk(clip.read(signal), length)) {
      if (samples.length === length) yield { index: index++, samples };
    }
  }
}
