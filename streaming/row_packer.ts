/** The rows that a step's streams want, gathered into one array. */
import type { Engine } from "../model/engine.ts";
import type { StepFrames } from "./hop_queue.ts";
import type { HeardFrames, LiveScore, ScoreRows } from "./live_score.ts";
import type { Want } from "./messages.ts";

/** Gathers the wanted rows of a step's streams into one array; predictions are computed once for all that want them. */
export class RowPacker {
  readonly #engine: Engine;
  readonly #scored: ScoreRows;
  readonly #parts: { offset: number; rows: readonly number[]; width: number; source: Float32Array }[] = [];
  readonly #predictions: { offset: number; steps: readonly number[]; rows: readonly PredictedRow[] }[] = [];
  readonly #scores: {
    score: LiveScore;
    heard: HeardFrames;
    frames: readonly number[];
    steps: readonly number[];
    offset: number;
  }[] = [];
  #length = 0;

  /** @param scored rows of this engine's scores; one step at a time uses them */
  constructor(engine: Engine, scored: ScoreRows) {
    this.#engine = engine;
    this.#scored = scored;
    scored.clear();
  }

  /** Plans one stream's rows (positions within the step); `latent`, `context`, `hidden`: `[T, …]` of that stream. */
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
    const existing = (data: Float32Array, width: number) => data.subarray(skip * width, (skip + count) * width);
    const heard = score?.hear({ first, latent: existing(latent, Z), hidden: existing(hidden, C) }, this.#scored);
    if (want.prediction.length > 0 && rows.length > 0) {
      const predicted = rows.map((r) => heard?.rows.get(first + r - skip) ?? hidden.slice(r * C, (r + 1) * C));
      this.#predictions.push({ offset: this.#length, steps: want.prediction, rows: predicted });
      this.#length += rows.length * want.prediction.length * Z;
    }
    if (score && heard) {
      this.#scores.push({ score, heard, frames: rows.map((r) => first + r - skip), steps: want.score, offset: this.#length });
      this.#length += rows.length * (1 + 2 * want.score.length);
    }
    return { offset, length: this.#length - offset };
  }

  /** The rows of all streams, one after the other as they were added. */
  async pack(): Promise<Float32Array> {
    const data = new Float32Array(this.#length);
    for (const { offset, rows, width, source } of this.#parts) {
      rows.forEach((r, i) => data.set(source.subarray(r * width, (r + 1) * width), offset + i * width));
    }
    if (this.#predictions.length + this.#scores.length > 0) await this.#predict(data);
    return data;
  }

  /** Predicts the rows of scores, then those that are wanted besides. */
  async #predict(data: Float32Array): Promise<void> {
    const { context: C, latent: Z, steps: K } = this.#engine.layout.dims;
    const scored = this.#scored;
    const others = this.#predictions.flatMap(({ rows }) => rows).filter((row) => typeof row !== "number");
    const hidden = new Float32Array((scored.count + others.length) * C); // [N, C]
    hidden.set(scored.hidden);
    others.forEach((row, i) => hidden.set(row, (scored.count + i) * C));
    const all = hidden.length > 0 ? await this.#engine.predict(hidden) : hidden; // [N, K, Z]
    let other = scored.count;
    for (const { offset, rows, steps } of this.#predictions) {
      let at = offset;
      for (const row of rows) {
        const n = typeof row === "number" ? row : other++;
        for (const k of steps) {
          data.set(all.subarray((n * K + k - 1) * Z, (n * K + k) * Z), at);
          at += Z;
        }
      }
    }
    const predictions = all.subarray(0, scored.count * K * Z);
    for (const { score, heard, frames, steps, offset } of this.#scores) {
      const out = data.subarray(offset, offset + frames.length * (1 + 2 * steps.length));
      score.settle({ ...heard, predictions }, { frames, steps, out });
    }
  }
}

/** A row of the scores' predictions, or a hidden row `[C]` of its own. */
type PredictedRow = number | Float32Array;
