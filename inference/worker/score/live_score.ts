/**
 * The live score: how well the predictions that a stream made earlier fit the latents that came,
 * against latents of its own past.
 *
 * The InfoNCE of van den Oord et al. 2018 with negatives from the same recording. The past is cut
 * into blocks of {@linkcode SCORE_BLOCK_FRAMES} frames; a seeded hash draws one frame of each
 * ({@linkcode negativeFrame}). A prediction made at frame s competes with the draws of the last
 * {@linkcode SCORE_NEGATIVES} blocks that were complete at s: nothing of the future, so any
 * chunking gives the same scores, and whoever has the latents can compute them again
 * (docs/scoring.md).
 */
import { DotRows, DotTable } from "./dot_products.ts";
import type { Dims } from "../../../model/weights.ts";
import type { SavedScore } from "../../messages.ts";
import { LIVE_HOPS } from "../scheduler.ts";

/** M: negatives of every score. */
export const SCORE_NEGATIVES = 16;
/** Frames of which one is drawn. */
export const SCORE_BLOCK_FRAMES = 8;
/** The seed of the draws: "CPC1". */
export const SCORE_SEED = 0x43504331;
/**
 * The positive is correct when it exceeds every negative by more than this share of the largest (at
 * least of 1): below it, it is a tie.
 */
export const SCORE_TIE = 1e-5;

/** The frame that is drawn of block `block` (frames 8 · block … 8 · block + 7). */
export function negativeFrame(block: number): number {
  let x = Math.imul(SCORE_SEED + block, 0x9e3779b1);
  x = Math.imul(x ^ (x >>> 15), 0x85ebca6b);
  return block * SCORE_BLOCK_FRAMES + ((x ^ (x >>> 13)) >>> 29);
}

/**
 * The first of the blocks whose draws a prediction made at `frame` competes with: as many as
 * {@linkcode SCORE_NEGATIVES}.
 */
export function firstNegativeBlock(frame: number): number {
  return Math.floor((frame + 1) / SCORE_BLOCK_FRAMES) - SCORE_NEGATIVES;
}

/**
 * What the streams of a step share, used again from step to step: rows to be predicted, and for
 * their scores latents and tables.
 */
export class StepRows {
  readonly dims: Dims;
  readonly #maxRows: number;
  #hidden = new Float32Array(0);
  #count = 0;
  #heard = 0;
  #scoring?: Scoring;

  /** @param options `maxRows`: most frames of a step */
  constructor(dims: Dims, { maxRows }: { maxRows: number }) {
    this.dims = dims;
    this.#maxRows = maxRows;
  }

  /** N, the rows to be predicted */
  get count(): number {
    return this.#count;
  }

  /** `[N, C]`, valid until the next is added */
  get hidden(): Float32Array {
    return this.#hidden.subarray(0, this.#count * this.dims.context);
  }

  /** @throws {RangeError} when there is no memory for it */
  get scoring(): Scoring {
    const { steps: K, latent: Z } = this.dims;
    return this.#scoring ??= {
      positives: new DotTable({ lefts: K, rights: 1, width: Z }),
      negatives: new DotTable({ lefts: K, rights: SCORE_NEGATIVES, width: Z }),
      latents: new DotRows({ count: this.#maxRows, width: Z }),
    };
  }

  clear(): void {
    this.#count = this.#heard = 0;
  }

  /** Adds rows `[n, C]` to be predicted; returns the number of the first. */
  predict(hidden: Float32Array): number {
    const { context: C } = this.dims;
    const row = this.#count;
    this.#count += hidden.length / C;
    if (this.#hidden.length < this.#count * C) {
      const larger = new Float32Array(2 * this.#count * C);
      larger.set(this.#hidden);
      this.#hidden = larger;
    }
    this.#hidden.set(hidden, row * C);
    return row;
  }

  /** Adds latents `[n, Z]` to be scored; returns the number of the first. */
  hear(latent: Float32Array): number {
    const row = this.#heard;
    this.#heard += latent.length / this.dims.latent;
    this.scoring.latents.set(row, latent);
    return row;
  }
}

/**
 * Where scores are computed: latents heard `[maxRows, Z]`, products of positives `[K, 1]` and of
 * negatives `[K, M]`.
 */
interface Scoring {
  readonly latents: DotRows;
  readonly positives: DotTable;
  readonly negatives: DotTable;
}

/** What one step asks of a stream's score; see {@linkcode LiveScore.hear}. */
export interface HeardFrames {
  readonly first: number;
  readonly count: number;
  /** Their latents, among those of {@linkcode StepRows}: the number of the first. */
  readonly latents: number;
  /**
   * The predictions of frames `asked` … first + count − 1 are the rows of {@linkcode StepRows} from
   * `row` on.
   */
  readonly asked: number;
  readonly row: number;
}

/** The score of one stream. */
export class LiveScore {
  readonly #step: StepRows;
  readonly #scoring: Scoring;
  readonly #since: number; // first frame it heard
  readonly #enough: number; // first frame that has all its negatives
  #next: number;
  #kept = Infinity; // first frame whose predictions were kept
  #restored = false;
  readonly #slots: number;
  readonly #hidden: Float32Array; // [K, C], frame f at f mod K
  // draws [slots, Z], block b at b mod slots; then predictions that wait for their frame, see
  // #waiting()
  readonly #rows: DotRows;
  // [K, K, 2]: how the negatives of those for frame f scored, at f mod K: the largest, log Σ exp
  readonly #rivals: Float64Array;

  /**
   * @param step what it shares with the streams of its steps
   * @param options `first`: the frame that it hears first; or `saved`: what {@linkcode save} gave
   * @throws {RangeError} when there is no memory for it: 4 GiB hold the scores of a thread
   */
  constructor(
    step: StepRows,
    options: { readonly first: number } | { readonly saved: SavedScore },
  ) {
    const { steps: K, latent: Z, context: C } = step.dims;
    this.#step = step;
    this.#scoring = step.scoring;
    // a step's own draws must not push out those that its first frames need, nor, after save(),
    // those that the last K need
    this.#slots = SCORE_NEGATIVES + Math.ceil((K + LIVE_HOPS) / SCORE_BLOCK_FRAMES) + 2;
    this.#hidden = new Float32Array(K * C);
    this.#rivals = new Float64Array(K * K * 2);
    this.#rows = new DotRows({ count: this.#slots + K * (K + 1) / 2, width: Z });
    this.#since = this.#next = "first" in options ? options.first : options.saved.since;
    this.#enough =
      (Math.ceil(this.#since / SCORE_BLOCK_FRAMES) + SCORE_NEGATIVES) * SCORE_BLOCK_FRAMES - 1;
    if (!("saved" in options)) return;
    const { saved } = options;
    this.#next = saved.next;
    this.#rows.set(0, saved.draws);
    this.#hidden.set(saved.hidden);
    this.#restored = true;
  }

  /**
   * What it takes to go on later: draws and hidden rows, from which the waiting predictions are
   * made again.
   */
  save(): SavedScore {
    return {
      since: this.#since,
      next: this.#next,
      draws: this.#rows.get(0, this.#slots),
      hidden: this.#hidden.slice(),
    };
  }

  /** Gives its memory back; nothing may be asked of it afterwards. */
  free(): void {
    this.#rows.free();
  }

  /**
   * Hears the frames of a step and asks for the predictions that they make.
   *
   * @param frames `first`: the true index of the first; `latent` `[n, Z]`, `hidden` `[n, C]`
   * @returns what {@linkcode settle} wants back
   * @throws {RangeError} for more than {@linkcode LIVE_HOPS} frames at once
   */
  hear(
    { first, latent, hidden }: { first: number; latent: Float32Array; hidden: Float32Array },
  ): HeardFrames {
    const { steps: K, latent: Z, context: C } = this.#step.dims;
    const count = latent.length / Z;
    if (count > LIVE_HOPS) {
      throw new RangeError(`scores take up to ${LIVE_HOPS} frames a step, got ${count}`);
    }
    // what waits is made again after a restoration
    const from = this.#restored ? this.#next - K : first;
    const asked = Math.min(Math.max(from, this.#enough), first + count);
    const row = this.#step.count;
    for (let f = asked; f < first; f++) {
      this.#step.predict(this.#hidden.subarray(f % K * C, (f % K + 1) * C));
    }
    this.#step.predict(hidden.subarray(Math.max(0, asked - first) * C));
    for (let i = 0; i < count; i++) {
      const frame = first + i;
      const block = Math.floor(frame / SCORE_BLOCK_FRAMES);
      if (frame === negativeFrame(block)) {
        this.#rows.set(block % this.#slots, latent.subarray(i * Z, (i + 1) * Z));
      }
      this.#hidden.set(hidden.subarray(i * C, (i + 1) * C), frame % K * C);
    }
    this.#next = first + count;
    this.#restored = false;
    return { first, count, latents: this.#step.hear(latent), asked, row };
  }

  /**
   * Scores the frames of a step.
   *
   * @param results `predictions` `[N, K, Z]` of all rows asked for
   * @param options `frames`: those wanted, ascending; `steps`: the steps k wanted; `out`: where
   *   their rows go, `[frames, 1 + 2 · steps]`: surprise, nce of each step, correct of each; NaN
   *   where there is none
   */
  settle(
    { first, count, latents, asked, row, predictions }: HeardFrames & { predictions: Float32Array },
    { frames, steps, out }: {
      frames: readonly number[];
      steps: readonly number[];
      out: Float32Array;
    },
  ): void {
    const { steps: K, latent: Z } = this.#step.dims;
    const width = 1 + 2 * steps.length;
    let written = 0;
    for (let frame = Math.min(first, asked); frame < first + count; frame++) {
      if (frame === frames[written]) {
        this.#score(frame, {
          latent: latents + frame - first,
          steps,
          out: out.subarray(written * width, ++written * width),
        });
      }
      const n = row + frame - asked;
      if (frame >= asked) this.#keep(frame, predictions.subarray(n * K * Z, (n + 1) * K * Z));
    }
  }

  /** Scores a frame, whose latent is number `latent` of the step's. */
  #score(
    frame: number,
    { latent, steps, out }: { latent: number; steps: readonly number[]; out: Float32Array },
  ): void {
    const { steps: K } = this.#step.dims;
    if (frame - Math.max(...steps) < this.#kept) {
      out.fill(NaN);
      return;
    }
    const { latents, positives: table } = this.#scoring;
    for (let k = 1; k <= K; k++) table.left(k - 1, this.#rows.address(this.#waiting(frame, k)));
    table.right(0, latents.address(latent));
    const positives = table.multiply(); // [K, 1]
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

  /**
   * Keeps a frame's predictions `[K, Z]`, and how their negatives scored, until the frames come
   * that they predict.
   */
  #keep(frame: number, predictions: Float32Array): void {
    const { steps: K, latent: Z } = this.#step.dims;
    const { negatives: table } = this.#scoring;
    for (let k = 1; k <= K; k++) {
      const row = this.#waiting(frame, k);
      this.#rows.set(row, predictions.subarray((k - 1) * Z, k * Z));
      table.left(k - 1, this.#rows.address(row));
    }
    const block = firstNegativeBlock(frame);
    for (let m = 0; m < SCORE_NEGATIVES; m++) {
      table.right(m, this.#rows.address((block + m) % this.#slots));
    }
    const sums = table.largestAndSums(); // [K, 2]
    for (let k = 1; k <= K; k++) {
      const rivals = rivalsOf(frame + k, { step: k, K });
      const [largest, sum] = [sums[2 * k - 2], sums[2 * k - 1]];
      this.#rivals[rivals] = largest;
      this.#rivals[rivals + 1] = largest + Math.log(sum);
    }
    this.#kept = Math.min(this.#kept, frame);
  }

  /**
   * The row in which the prediction of step k waits for `frame`, and then the one that this frame
   * makes: k rows take turns.
   */
  #waiting(frame: number, k: number): number {
    return this.#slots + k * (k - 1) / 2 + frame % k;
  }
}

/**
 * Where in `[K, K, 2]` it stands how the negatives of step `step`'s prediction for `frame` scored.
 */
function rivalsOf(frame: number, { step, K }: { step: number; K: number }): number {
  return 2 * (frame % K * K + step - 1);
}

/** log(1 + eˣ) */
function softplus(x: number): number {
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));
}
