/** Shared by a step's streams: rows to predict together, and the tables of scores. */
import { Scratch } from "../../model/scratch.ts";
import type { Dims } from "../../model/weights.ts";
import { ScoreTables } from "./score/score_tables.ts";

/** Buffers of one engine, reused by every step. */
export class StepRows {
  readonly dims: Dims;
  /** What a step's streams bring. */
  readonly inputs = new Scratch();
  readonly #maxRows: number;
  #hidden = new Float32Array(0);
  #count = 0;
  #scores?: ScoreTables;

  /** @param options `maxRows`: most frames of a step */
  constructor(dims: Dims, { maxRows }: { maxRows: number }) {
    this.dims = dims;
    this.#maxRows = maxRows;
  }

  /** N, the number of rows to predict */
  get count(): number {
    return this.#count;
  }

  /** `[N, C]`, valid until the next is added */
  get hidden(): Float32Array {
    return this.#hidden.subarray(0, this.#count * this.dims.context);
  }

  /** @throws {CpcError} `overloaded` if there is no memory for them at first use */
  get scores(): ScoreTables {
    return this.#scores ??= new ScoreTables(this.dims, { maxRows: this.#maxRows });
  }

  /** Begins a step. */
  clear(): void {
    this.#count = 0;
    this.#scores?.clear();
  }

  /** Frees the tables' memory; it must not be used afterwards. */
  free(): void {
    this.#scores?.free();
  }

  /** Adds rows `[n, C]` to predict; returns the number of the first. */
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
}
