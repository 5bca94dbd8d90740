/** A stream's predictions until the frames that they predict arrive, and their negatives. */
import { LIVE_HOPS } from "../scheduler.ts";
import { DotRows } from "./dot_products.ts";
import { firstNegativeBlock, SCORE_BLOCK_FRAMES, SCORE_NEGATIVES } from "./negatives.ts";
import type { ScoreTables } from "./score_tables.ts";

/**
 * The positive is correct if it exceeds every negative by more than this share of the largest one
 * (or of 1, if that is larger). Below this, it is a tie.
 */
export const SCORE_TIE = 1e-5;

/** Waiting predictions, and draws of the stream's past. */
export class WaitingPredictions {
  readonly #tables: ScoreTables;
  readonly #slots: number;
  // draws [slots, Z], block b at b mod slots; then predictions that wait, see #waiting()
  readonly #rows: DotRows;
  // [K, K, 2]: how the negatives of those for frame f scored, at f mod K: the largest, log Σ exp
  readonly #rivals: Float64Array;
  #kept = Infinity; // the first frame whose predictions were kept

  /** @throws {CpcError} `overloaded` if there is no memory for it: 4 GiB hold a thread's scores */
  constructor(tables: ScoreTables) {
    const { steps: K, latent: Z } = tables.dims;
    this.#tables = tables;
    // a step's own draws must not push out those that its first frames need, nor, when they are
    // saved, those that the last K need
    this.#slots = SCORE_NEGATIVES + Math.ceil((K + LIVE_HOPS) / SCORE_BLOCK_FRAMES) + 2;
    this.#rivals = new Float64Array(K * K * 2);
    this.#rows = new DotRows({ count: this.#slots + K * (K + 1) / 2, width: Z });
  }

  /** A copy of the draws, `[slots, Z]`. */
  get draws(): Float32Array {
    return this.#rows.get(0, this.#slots);
  }

  set draws(saved: Float32Array) {
    this.#rows.set(0, saved);
  }

  /** Takes the latent `[Z]` drawn from a block. */
  draw(block: number, latent: Float32Array): void {
    this.#rows.set(block % this.#slots, latent);
  }

  /** Keeps a frame's predictions `[K, Z]`, and the scores of their negatives. */
  keep(frame: number, predictions: Float32Array): void {
    const { steps: K, latent: Z } = this.#tables.dims;
    const waiting: number[] = [];
    for (let k = 1; k <= K; k++) {
      const row = this.#waiting(frame, k);
      this.#rows.set(row, predictions.subarray((k - 1) * Z, k * Z));
      waiting.push(row);
    }
    const negatives: number[] = [];
    const block = firstNegativeBlock(frame);
    for (let m = 0; m < SCORE_NEGATIVES; m++) negatives.push((block + m) % this.#slots);
    // [K, 2]
    const sums = this.#tables.rivals(this.#rows, { predictions: waiting, negatives });
    for (let k = 1; k <= K; k++) {
      const rivals = rivalsOf(frame + k, { step: k, K });
      const [largest, sum] = [sums[2 * k - 2], sums[2 * k - 1]];
      this.#rivals[rivals] = largest;
      this.#rivals[rivals + 1] = largest + Math.log(sum);
    }
    this.#kept = Math.min(this.#kept, frame);
  }

  /**
   * Scores a frame.
   *
   * @param options `latent`: its number in the tables; `steps`: the wanted steps k; `out`: receives
   *   the row (see {@linkcode LiveScore.settle}); NaN if any of the predictions was not kept
   */
  score(
    frame: number,
    { latent, steps, out }: { latent: number; steps: readonly number[]; out: Float32Array },
  ): void {
    const { steps: K } = this.#tables.dims;
    if (frame - Math.max(...steps) < this.#kept) {
      out.fill(NaN);
      return;
    }
    const waiting: number[] = [];
    for (let k = 1; k <= K; k++) waiting.push(this.#waiting(frame, k));
    const positives = this.#tables.positives(this.#rows, { predictions: waiting, latent }); // [K]
    let sum = 0;
    for (let n = 0; n < steps.length; n++) {
      const positive = positives[steps[n] - 1];
      const rivals = rivalsOf(frame, { step: steps[n], K });
      const [largest, logSum] = [this.#rivals[rivals], this.#rivals[rivals + 1]];
      const nce = softplus(logSum - positive); // −log(e^positive / (e^positive + Σ e^negative))
      sum += nce;
      out[1 + n] = nce;
      out[1 + steps.length + n] = positive - largest > SCORE_TIE * Math.max(1, Math.abs(largest))
        ? 1
        : 0;
    }
    out[0] = sum / steps.length;
  }

  /** Frees its memory; it must not be used afterwards. */
  free(): void {
    this.#rows.free();
  }

  /**
   * The row in which the prediction of step k waits for `frame`, and which then holds this frame's
   * own prediction: k rows take turns.
   */
  #waiting(frame: number, k: number): number {
    return this.#slots + k * (k - 1) / 2 + frame % k;
  }
}

/**
 * Position in `[K, K, 2]` of the scores of the negatives of step `step`'s prediction for `frame`.
 */
function rivalsOf(frame: number, { step, K }: { step: number; K: number }): number {
  return 2 * (frame % K * K + step - 1);
}

/** log(1 + eˣ) */
function softplus(x: number): number {
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));
}
