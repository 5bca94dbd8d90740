/** Gathers the rows that a step's streams want into one array. */
import type { Engine } from "../../model/engine.ts";
import { predictEach } from "./row_by_row.ts";
import type { StepFrames } from "./hop_queue.ts";
import type { LiveScore } from "./score/live_score.ts";
import type { StepRows } from "./step_rows.ts";
import type { Want } from "../messages.ts";

/**
 * Gathers the wanted rows of a step's streams into one array. It computes predictions once for all
 * streams that want them.
 */
export class RowPacker {
  readonly #engine: Engine;
  readonly #shared: StepRows;
  readonly #parts: {
    offset: number;
    rows: readonly number[];
    width: number;
    source: Float32Array;
  }[] = [];
  readonly #predicted: Predicted[] = [];
  #length = 0;

  /** @param shared the engine's, used by one step at a time */
  constructor(engine: Engine, shared: StepRows) {
    this.#engine = engine;
    this.#shared = shared;
    shared.clear();
  }

  /** Floats planned so far. */
  get length(): number {
    return this.#length;
  }

  /**
   * Plans the rows (positions within the step) of one channel of a stream; `stream`: its number;
   * `latent`, `context`, `hidden`: `[T, …]` of that channel.
   */
  add({ stream, want, score, frames, rows, latent, context, hidden }: {
    stream: number;
    want: Want;
    score?: LiveScore;
    frames: StepFrames;
    rows: readonly number[];
    latent: Float32Array;
    context: Float32Array;
    hidden: Float32Array;
  }): void {
    const { latent: Z, context: C } = this.#engine.layout.dims;
    const { first, skip, count } = frames;
    const firstRow = this.#shared.count;
    const part = (source: Float32Array, width: number) => {
      this.#parts.push({ offset: this.#length, rows, width, source });
      this.#length += rows.length * width;
    };
    if (want.context) part(context, C);
    if (want.latent) part(latent, Z);
    const existing = (data: Float32Array, width: number) =>
      data.subarray(skip * width, (skip + count) * width);
    score?.hear({ first, latent: existing(latent, Z), hidden: existing(hidden, C) });
    const frameOf = (r: number) => first + r - skip;
    let predicted: Predicted["predicted"];
    if (want.prediction.length > 0 && rows.length > 0) {
      predicted = {
        offset: this.#length,
        steps: want.prediction,
        rows: rows.map((r) =>
          score?.predictionRow(frameOf(r)) ??
            this.#shared.predict(hidden.subarray(r * C, (r + 1) * C))
        ),
      };
      this.#length += rows.length * want.prediction.length * Z;
    }
    let scored: Predicted["scored"];
    if (score) {
      scored = { offset: this.#length, steps: want.score, score, frames: rows.map(frameOf) };
      this.#length += rows.length * (1 + 2 * want.score.length);
    }
    const needs = { from: firstRow, to: this.#shared.count };
    if (predicted || scored) this.#predicted.push({ stream, needs, predicted, scored });
  }

  /** All planned rows, in the order in which they were added. */
  async pack(): Promise<Packed> {
    const data = new Float32Array(this.#length);
    for (const { offset, rows, width, source } of this.#parts) {
      rows.forEach((r, i) =>
        data.set(source.subarray(r * width, (r + 1) * width), offset + i * width)
      );
    }
    if (this.#predicted.length === 0) return { data, failures: new Map() };
    const { predictions, failed, retried } = await this.#predict();
    const failures = new Map<number, unknown>();
    const sound = this.#predicted.filter(({ stream, needs }) => {
      const row = [...failed.keys()].find((row) => row >= needs.from && row < needs.to);
      if (row !== undefined) failures.set(stream, failed.get(row));
      return row === undefined;
    });
    this.#share(predictions, sound, data);
    return { data, failures, retried };
  }

  /** All the step's predictions, `[N, K, Z]`; row by row if that fails. */
  async #predict(): Promise<Awaited<ReturnType<typeof predictEach>> & { retried?: unknown }> {
    const { count, hidden } = this.#shared;
    const failed = new Map<number, unknown>();
    if (count === 0) return { predictions: new Float32Array(0), failed };
    try {
      return { predictions: await this.#engine.predict(hidden), failed };
    } catch (retried) {
      return { ...await predictEach(this.#engine, { hidden, count }), retried };
    }
  }

  /**
   * Gives each channel what it wants of the predictions: one after the other, so that its rows are
   * in the caches.
   */
  #share(predictions: Float32Array, channels: readonly Predicted[], data: Float32Array): void {
    const { latent: Z, steps: K } = this.#engine.layout.dims;
    for (const { predicted, scored } of channels) {
      if (predicted) {
        let at = predicted.offset;
        for (const row of predicted.rows) {
          for (const k of predicted.steps) {
            data.set(predictions.subarray((row * K + k - 1) * Z, (row * K + k) * Z), at);
            at += Z;
          }
        }
      }
      if (scored) {
        const { score, frames, steps, offset } = scored;
        const out = data.subarray(offset, offset + frames.length * (1 + 2 * steps.length));
        score.settle(predictions, { frames, steps, out });
      }
    }
  }
}

/** The rows of a step. */
export interface Packed {
  readonly data: Float32Array;
  /** What the engine said of streams whose predictions failed, by their numbers. */
  readonly failures: ReadonlyMap<number, unknown>;
  /** Why the predictions were computed row by row, if they were. */
  readonly retried?: unknown;
}

/** What one channel wants of the step's predictions: rows of them, and its scores. */
interface Predicted {
  /** Number of its stream. */
  readonly stream: number;
  /** The rows of the step's predictions that it rests on. */
  readonly needs: { readonly from: number; readonly to: number };
  readonly predicted?: {
    readonly offset: number;
    readonly steps: readonly number[];
    readonly rows: readonly number[];
  };
  readonly scored?: {
    readonly offset: number;
    readonly steps: readonly number[];
    readonly score: LiveScore;
    readonly frames: readonly number[];
  };
}
