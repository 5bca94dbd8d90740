/**
 * The live score of a stream: how well its earlier predictions fit the latents that arrive,
 * compared with latents of its own past (`negatives.ts`).
 */
import type { SavedScore } from "../../messages.ts";
import { LIVE_HOPS } from "../scheduler.ts";
import type { StepRows } from "../step_rows.ts";
import { firstScorableFrame, negativeFrame, SCORE_BLOCK_FRAMES } from "./negatives.ts";
import { WaitingPredictions } from "./waiting_predictions.ts";

/** A score's part of one step, between {@linkcode LiveScore.hear} and `settle`. */
interface HeardFrames {
  readonly first: number;
  readonly count: number;
  /** Number of their first latent in the step's tables. */
  readonly latents: number;
  /** The predictions of frames `asked` … first + count − 1 are the step's rows from `row` on. */
  readonly asked: number;
  readonly row: number;
}

/** The score of one stream. */
export class LiveScore {
  readonly #step: StepRows;
  readonly #waiting: WaitingPredictions;
  readonly #since: number; // the first frame it heard
  readonly #hidden: Float32Array; // [K, C], frame f at f mod K
  #next: number;
  #restored: boolean;
  #heard: HeardFrames = { first: 0, count: 0, latents: 0, asked: 0, row: 0 };

  /**
   * @param step shared with the other streams of its steps
   * @param options `first`: the first frame it hears; or `saved`: a result of {@linkcode save}
   * @throws {CpcError} `overloaded` if there is no memory for it
   */
  constructor(
    step: StepRows,
    options: { readonly first: number } | { readonly saved: SavedScore },
  ) {
    const { steps: K, context: C } = step.dims;
    this.#step = step;
    this.#waiting = new WaitingPredictions(step.scores);
    this.#hidden = new Float32Array(K * C);
    this.#restored = "saved" in options;
    if ("saved" in options) {
      const { since, next, draws, hidden } = options.saved;
      this.#since = since;
      this.#next = next;
      this.#waiting.draws = draws;
      this.#hidden.set(hidden);
    } else this.#since = this.#next = options.first;
  }

  /**
   * What it needs to continue later: draws, and the hidden rows that give the waiting predictions
   * again.
   */
  save(): SavedScore {
    return {
      since: this.#since,
      next: this.#next,
      draws: this.#waiting.draws,
      hidden: this.#hidden.slice(),
    };
  }

  /** Frees its memory; it must not be used afterwards. */
  free(): void {
    this.#waiting.free();
  }

  /**
   * Hears the frames of a step, and asks for their predictions. {@linkcode settle} must follow.
   *
   * @param frames `first`: the true index of the first; `latent` `[n, Z]`, `hidden` `[n, C]`
   * @throws {RangeError} for more than {@linkcode LIVE_HOPS} frames at once
   */
  hear(
    { first, latent, hidden }: { first: number; latent: Float32Array; hidden: Float32Array },
  ): void {
    const { steps: K, latent: Z, context: C } = this.#step.dims;
    const count = latent.length / Z;
    if (count > LIVE_HOPS) {
      throw new RangeError(`scores take up to ${LIVE_HOPS} frames per step, got ${count}`);
    }
    // after a restore, makes the waiting predictions again
    const from = this.#restored ? this.#next - K : first;
    const asked = Math.min(Math.max(from, firstScorableFrame(this.#since)), first + count);
    const row = this.#step.count;
    for (let f = asked; f < first; f++) {
      this.#step.predict(this.#hidden.subarray(f % K * C, (f % K + 1) * C));
    }
    this.#step.predict(hidden.subarray(Math.max(0, asked - first) * C));
    for (let i = 0; i < count; i++) {
      const frame = first + i;
      const block = Math.floor(frame / SCORE_BLOCK_FRAMES);
      if (frame === negativeFrame(block)) {
        this.#waiting.draw(block, latent.subarray(i * Z, (i + 1) * Z));
      }
      this.#hidden.set(hidden.subarray(i * C, (i + 1) * C), frame % K * C);
    }
    this.#next = first + count;
    this.#restored = false;
    this.#heard = { first, count, latents: this.#step.scores.hear(latent), asked, row };
  }

  /** The step's row with the predictions of a frame just heard, if they were asked for. */
  predictionRow(frame: number): number | undefined {
    const { asked, row } = this.#heard;
    return frame >= asked ? row + frame - asked : undefined;
  }

  /**
   * Scores the frames just heard.
   *
   * @param predictions `[N, K, Z]` of all the step's rows
   * @param options `frames`: the wanted frames, ascending; `steps`: the wanted steps k; `out`:
   *   receives their rows, `[frames, 1 + 2 · steps]`: surprise, nce of each step, correct of each;
   *   NaN if there is none
   */
  settle(
    predictions: Float32Array,
    { frames, steps, out }: {
      frames: readonly number[];
      steps: readonly number[];
      out: Float32Array;
    },
  ): void {
    const { steps: K, latent: Z } = this.#step.dims;
    const { first, count, latents, asked } = this.#heard;
    const width = 1 + 2 * steps.length;
    let written = 0;
    for (let frame = Math.min(first, asked); frame < first + count; frame++) {
      if (frame === frames[written]) {
        this.#waiting.score(frame, {
          latent: latents + frame - first,
          steps,
          out: out.subarray(written * width, ++written * width),
        });
      }
      const n = this.predictionRow(frame);
      if (n !== undefined) {
        this.#waiting.keep(frame, predictions.subarray(n * K * Z, (n + 1) * K * Z));
      }
    }
  }
}
