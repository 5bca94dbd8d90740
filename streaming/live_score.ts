/**
 * The live score: how well the predictions that a stream made earlier fit the latents that came, against latents of its own past.
 *
 * The InfoNCE of van den Oord et al. 2018 with negatives from the same recording. The past is cut into blocks of
 * {@linkcode SCORE_BLOCK_FRAMES} frames; a seeded hash draws one frame of each ({@linkcode negativeFrame}). A prediction made at
 * frame s competes with the draws of the last {@linkcode SCORE_NEGATIVES} blocks that were complete at s: nothing of the
 * future, so any chunking gives the same scores, and whoever has the latents can compute them again (docs/scoring.md).
 */
import { DotTable } from "../model/dot_products.ts";
import type { Dims } from "../model/weights.ts";
import type { SavedScore } from "./messages.ts";
import { LIVE_HOPS } from "./scheduler.ts";

/** M: negatives of every score. */
export const SCORE_NEGATIVES = 16;
/** Frames of which one is drawn. */
export const SCORE_BLOCK_FRAMES = 8;
/** The seed of the draws: "CPC1". */
export const SCORE_SEED = 0x43504331;
/** The positive is correct when it exceeds every negative by more than this share of the largest (at least of 1): below it, it is a tie. */
export const SCORE_TIE = 1e-5;

/** The frame that is drawn of block `block` (frames 8 · block … 8 · block + 7). */
export function negativeFrame(block: number): number {
  let x = Math.imul(SCORE_SEED + block, 0x9e3779b1);
  x = Math.imul(x ^ (x >>> 15), 0x85ebca6b);
  return block * SCORE_BLOCK_FRAMES + ((x ^ (x >>> 13)) >>> 29);
}

/** The first of the blocks whose draws a prediction made at `frame` competes with: as many as {@linkcode SCORE_NEGATIVES}. */
export function firstNegativeBlock(frame: number): number {
  return Math.floor((frame + 1) / SCORE_BLOCK_FRAMES) - SCORE_NEGATIVES;
}

/** Rows that one step's scores need predicted; used again from step to step. */
export class ScoreRows {
  readonly #dims: Dims;
  #hidden = new Float32Array(0);
  #count = 0;

  constructor(dims: Dims) {
    this.#dims = dims;
  }

  /** N */
  get count(): number {
    return this.#count;
  }

  /** `[N, C]` */
  get hidden(): Float32Array {
    return this.#hidden.subarray(0, this.#count * this.#dims.context);
  }

  clear(): void {
    this.#count = 0;
  }

  /** Adds a row `[C]`; returns its number. */
  add(hidden: Float32Array): number {
    const { context: C } = this.#dims;
    const n = this.#count++;
    if (this.#hidden.length < this.#count * C) {
      const larger = new Float32Array(2 * this.#count * C);
      larger.set(this.#hidden);
      this.#hidden = larger;
    }
    this.#hidden.set(hidden, n * C);
    return n;
  }
}

/** What one step asks of a stream's score; see {@linkcode LiveScore.hear}. */
export interface HeardFrames {
  readonly first: number;
  readonly count: number;
  /** Row of {@linkcode ScoreRows} of each source frame, in ascending order. */
  readonly rows: ReadonlyMap<number, number>;
}

/** What is known of a frame's predictions before what they predict has come. */
interface Source {
  frame: number;
  /** Of the negatives' scores, per step: log Σ exp, and the largest. */
  readonly logSum: Float64Array;
  readonly largest: Float64Array;
}

/** The score of one stream. */
export class LiveScore {
  readonly #dims: Dims;
  readonly #since: number; // first frame it heard
  #next: number;
  readonly #slots: number;
  readonly #draws: Float32Array; // [slots, Z], block b at b mod slots
  readonly #hidden: Float32Array; // [K, C], frame f at f mod K
  readonly #sources: Source[]; // frame f at f mod K
  readonly #expected: Float32Array; // [K, K, Z]: what frame f predicted, at f mod K
  readonly #positives: DotTable;
  readonly #negatives: DotTable;
  #latent = new Float32Array(0); // [n, Z] of the step under way
  #restored = false;

  /** @param options `first`: the frame that it hears first; or `saved`: what {@linkcode save} gave */
  constructor(dims: Dims, options: { readonly first: number } | { readonly saved: SavedScore }) {
    const { steps: K, latent: Z, context: C } = dims;
    this.#dims = dims;
    // a step's own draws must not push out those that its first frames need, nor, after save(), those that the last K need
    this.#slots = SCORE_NEGATIVES + Math.ceil((K + LIVE_HOPS) / SCORE_BLOCK_FRAMES) + 2;
    this.#draws = new Float32Array(this.#slots * Z);
    this.#hidden = new Float32Array(K * C);
    this.#expected = new Float32Array(K * K * Z);
    this.#positives = new DotTable({ rows: K, columns: 1, width: Z });
    this.#negatives = new DotTable({ rows: K, columns: SCORE_NEGATIVES, width: Z });
    this.#sources = Array.from({ length: K }, () => ({
      frame: -1,
      logSum: new Float64Array(K),
      largest: new Float64Array(K),
    }));
    this.#since = this.#next = "first" in options ? options.first : 0;
    if (!("saved" in options)) return;
    const { saved } = options;
    this.#since = saved.since;
    this.#next = saved.next;
    this.#draws.set(saved.draws);
    this.#hidden.set(saved.hidden);
    this.#restored = true;
  }

  /** What it takes to go on later: draws and hidden rows, from which the waiting predictions are made again. */
  save(): SavedScore {
    return { since: this.#since, next: this.#next, draws: this.#draws.slice(), hidden: this.#hidden.slice() };
  }

  /**
   * Hears the frames of a step and asks for the predictions that they make.
   *
   * @param frames `first`: the true index of the first; `latent` `[n, Z]`, `hidden` `[n, C]`
   * @param rows where it asks
   * @returns what {@linkcode settle} wants back
   * @throws {RangeError} for more than {@linkcode LIVE_HOPS} frames at once
   */
  hear({ first, latent, hidden }: { first: number; latent: Float32Array; hidden: Float32Array }, rows: ScoreRows): HeardFrames {
    const { steps: K, latent: Z, context: C } = this.#dims;
    const count = latent.length / Z;
    if (count > LIVE_HOPS) throw new RangeError(`scores take up to ${LIVE_HOPS} frames a step, got ${count}`);
    const asked = new Map<number, number>();
    const ask = (frame: number) => {
      if (firstNegativeBlock(frame) * SCORE_BLOCK_FRAMES < this.#since) return; // not enough heard yet
      asked.set(frame, rows.add(this.#hidden.subarray(frame % K * C, (frame % K + 1) * C)));
    };
    if (this.#restored) { for (let frame = Math.max(0, this.#next - K); frame < this.#next; frame++) ask(frame); }
    this.#restored = false;
    for (let i = 0; i < count; i++) {
      const frame = first + i;
      const block = Math.floor(frame / SCORE_BLOCK_FRAMES);
      if (frame === negativeFrame(block)) this.#draws.set(latent.subarray(i * Z, (i + 1) * Z), block % this.#slots * Z);
      this.#hidden.set(hidden.subarray(i * C, (i + 1) * C), frame % K * C);
      ask(frame);
      this.#next = frame + 1;
    }
    if (this.#latent.length < latent.length) this.#latent = new Float32Array(latent.length);
    this.#latent.set(latent);
    return { first, count, rows: asked };
  }

  /**
   * Scores the frames of a step.
   *
   * @param results `predictions` `[N, K · Z]` of all rows asked for
   * @param options `frames`: those wanted, ascending; `steps`: the steps k wanted; `out`: where their rows go,
   *   `[frames, 1 + 2 · steps]`: surprise, nce of each step, correct of each; NaN where there is none
   */
  settle(
    { first, count, rows, predictions }: HeardFrames & { predictions: Float32Array },
    { frames, steps, out }: { frames: readonly number[]; steps: readonly number[]; out: Float32Array },
  ): void {
    const { steps: K, latent: Z } = this.#dims;
    const width = 1 + 2 * steps.length;
    const keep = (frame: number) => {
      const row = rows.get(frame);
      if (row !== undefined) this.#keep(frame, predictions.subarray(row * K * Z, (row + 1) * K * Z));
    };
    for (const frame of rows.keys()) if (frame < first) keep(frame);
    let written = 0;
    for (let i = 0; i < count; i++) {
      if (frames[written] === first + i) {
        this.#score(i, { frame: first + i, steps, out: out.subarray(written * width, ++written * width) });
      }
      keep(first + i);
    }
  }

  /** Scores row i of the step's latents. */
  #score(i: number, { frame, steps, out }: { frame: number; steps: readonly number[]; out: Float32Array }): void {
    const { steps: K, latent: Z } = this.#dims;
    const sourceOf = (k: number) => this.#sources[(frame - k + K) % K];
    if (steps.some((k) => frame < k || sourceOf(k).frame !== frame - k)) {
      out.fill(NaN);
      return;
    }
    for (const k of steps) {
      const row = (frame - k) % K * K + k - 1;
      this.#positives.left(k - 1, this.#expected.subarray(row * Z, (row + 1) * Z));
    }
    this.#positives.right(0, this.#latent.subarray(i * Z, (i + 1) * Z));
    const positives = this.#positives.multiply();
    let sum = 0;
    for (let n = 0; n < steps.length; n++) {
      const k = steps[n];
      const { logSum, largest } = sourceOf(k);
      const [positive, most] = [positives[k - 1], largest[k - 1]];
      const nce = softplus(logSum[k - 1] - positive); // −log(e^positive / (e^positive + Σ e^negative))
      sum += nce;
      out[1 + n] = nce;
      out[1 + steps.length + n] = positive - most > SCORE_TIE * Math.max(1, Math.abs(most)) ? 1 : 0;
    }
    out[0] = sum / steps.length;
  }

  /** Keeps a frame's predictions `[K, Z]`, and of its negatives' scores log Σ exp and the largest. */
  #keep(frame: number, predictions: Float32Array): void {
    const { steps: K, latent: Z } = this.#dims;
    const source = this.#sources[frame % K];
    source.frame = frame;
    this.#expected.set(predictions, frame % K * K * Z);
    this.#negatives.left(0, predictions);
    const slot = firstNegativeBlock(frame) % this.#slots; // they stand in a row, as far as the ring goes
    const unbroken = Math.min(SCORE_NEGATIVES, this.#slots - slot);
    this.#negatives.right(0, this.#draws.subarray(slot * Z, (slot + unbroken) * Z));
    if (unbroken < SCORE_NEGATIVES) this.#negatives.right(unbroken, this.#draws.subarray(0, (SCORE_NEGATIVES - unbroken) * Z));
    const products = this.#negatives.multiply(); // [K, M]
    for (let k = 0; k < K; k++) {
      const at = k * SCORE_NEGATIVES;
      let max = -Infinity;
      for (let m = at; m < at + SCORE_NEGATIVES; m++) if (products[m] > max) max = products[m];
      let sum = 0;
      for (let m = at; m < at + SCORE_NEGATIVES; m++) if (products[m] > max - 40) sum += Math.exp(products[m] - max); // e⁻⁴⁰ adds nothing
      source.logSum[k] = max + Math.log(sum);
      source.largest[k] = max;
    }
  }
}

/** log(1 + eˣ) */
function softplus(x: number): number {
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));
}
