/** Gathers the rows that a step's streams want into one array. */
import type { Engine } from "../../model/engine.ts";
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

  /**
   * Plans one stream's rows (positions within the step); `latent`, `context`, `hidden`: `[T, …]` of
   * that stream.
   */
  add({ want, score, frames, rows, latent, context, hidden }: {
    want: Want;
    score?: LiveScore;
    frames: StepFrames;
    rows: readonly number[];
    latent: Float32Array;
    context: Float32Array;
    hidden: Float32Array;
  }): { offset: number; length: number } {
    const { latent: Z, context: C } = this.#engine.layout.dims;
    const { first, skip, count } = frames;
    const offset = this.#length;
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
    if (predicted || scored) this.#predicted.push({ predicted, scored });
    return { offset, length: this.#length - offset };
  }

  /** The rows of all streams, in the order in which they were added. */
  async pack(): Promise<Float32Array> {
    const data = new Float32Array(this.#length);
    for (const { offset, rows, width, source } of this.#parts) {
      rows.forEach((r, i) =>
        data.set(source.subarray(r * width, (r + 1) * width), offset + i * width)
      );
    }
    if (this.#predicted.length > 0) await this.#predict(data);
    return data;
  }

  /**
   * Predicts all rows, and gives each stream what it wants, one stream after the other, while its
   * rows are in the caches.
   */
  async #predict(data: Float32Array): Promise<void> {
    const { latent: Z, steps: K } = this.#engine.layout.dims;
    const { count, hidden } = this.#shared;
    // [N, K, Z]
    const predictions = count > 0 ? await this.#engine.predict(hidden) : new Float32Array(0);
    for (const { predicted, scored } of this.#predicted) {
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

/** What one stream wants from the step's predictions: rows of them, and its scores. */
interface Predicted {
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
