/** Tables in which the scores of one engine's streams are computed, reused by every step. */
import type { Dims } from "../../../model/weights.ts";
import { DotRows, DotTable } from "./dot_products.ts";
import { SCORE_NEGATIVES } from "./negatives.ts";

/**
 * The latents of a step, and products of a stream's predictions with these and with its negatives.
 */
export class ScoreTables {
  readonly dims: Dims;
  /** `[maxRows, Z]` */
  readonly #latents: DotRows;
  readonly #positives: DotTable;
  readonly #negatives: DotTable;
  #heard = 0;

  /**
   * @param options `maxRows`: most frames of a step
   * @throws {CpcError} `overloaded` if there is no memory for them
   */
  constructor(dims: Dims, { maxRows }: { maxRows: number }) {
    const { steps: K, latent: Z } = dims;
    this.dims = dims;
    this.#positives = new DotTable({ lefts: K, rights: 1, width: Z });
    this.#negatives = new DotTable({ lefts: K, rights: SCORE_NEGATIVES, width: Z });
    this.#latents = new DotRows({ count: maxRows, width: Z });
  }

  /** Begins a step. */
  clear(): void {
    this.#heard = 0;
  }

  /** Frees the memory; the tables must not be used afterwards. */
  free(): void {
    this.#positives.free();
    this.#negatives.free();
    this.#latents.free();
  }

  /** Adds latents `[n, Z]` to score; returns the number of the first. */
  hear(latent: Float32Array): number {
    const first = this.#heard;
    this.#heard += latent.length / this.dims.latent;
    this.#latents.set(first, latent);
    return first;
  }

  /**
   * Scores of K predictions against a latent.
   *
   * @param rows the memory of the predictions
   * @param options `predictions`: their numbers; `latent`: its number
   * @returns `[K]`, valid until the next call
   */
  positives(
    rows: DotRows,
    { predictions, latent }: { predictions: readonly number[]; latent: number },
  ): Float32Array {
    return this.#positives.multiply(
      { of: rows, numbers: predictions },
      { of: this.#latents, numbers: [latent] },
    );
  }

  /**
   * Scores of K predictions against their negatives: the largest, m, and Σ exp(x − m).
   *
   * @param rows the memory of both
   * @param options their numbers
   * @returns `[K, 2]`, valid until the next call
   */
  rivals(
    rows: DotRows,
    { predictions, negatives }: {
      predictions: readonly number[];
      negatives: readonly number[];
    },
  ): Float32Array {
    return this.#negatives.largestAndSums(
      { of: rows, numbers: predictions },
      { of: rows, numbers: negatives },
    );
  }
}
