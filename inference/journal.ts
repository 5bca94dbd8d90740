/**
 * What a stream needs to go on after its worker was lost: the last state that the worker reported,
 * and what came since.
 */
import type { StreamingPlan } from "../model/architecture.ts";
import type { Checkpoint, Want } from "./messages.ts";
import { SampleLog } from "./sample_log.ts";

/** A change of what is wanted, in force from the first frame after hop `atHop`. */
export interface Update {
  readonly atHop: number;
  readonly want: Want;
}

/** The hops and the lead of a model's plan. */
export type HopPlan = Pick<StreamingPlan, "hopSamples" | "leadSamples">;

/**
 * The journal of one segment. Its length is bounded by what its owner pushes ahead of the worker
 * and by the audio between two checkpoints.
 */
export class Journal {
  readonly #plan: HopPlan;
  readonly #channels: number;
  #from: { readonly checkpoint: Checkpoint; readonly want: Want };
  #want: Want;
  #updates: Update[] = [];
  #audio: SampleLog; // interleaved
  #hopsReported: number;
  #finished = false;

  constructor(
    plan: HopPlan,
    { restore, want, channels = 1 }: { restore?: Checkpoint; want: Want; channels?: number },
  ) {
    this.#plan = plan;
    this.#channels = channels;
    this.#want = want;
    const checkpoint = restore ?? { hopsTaken: 0 };
    this.#from = { checkpoint, want };
    this.#audio = new SampleLog(channels * this.sampleOf(checkpoint.hopsTaken));
    this.#hopsReported = checkpoint.hopsTaken;
  }

  /** Where the stream is computed from if its worker is lost, and what was wanted there. */
  get from(): { readonly checkpoint: Checkpoint; readonly want: Want } {
    return this.#from;
  }

  /** What is wanted now. */
  get want(): Want {
    return this.#want;
  }

  /** The changes since, in order. */
  get updates(): readonly Update[] {
    return this.#updates;
  }

  /** Number of hops that have been reported in this segment. */
  get hopsReported(): number {
    return this.#hopsReported;
  }

  /** Number of samples per channel pushed in this segment. */
  get pushedSamples(): number {
    return this.#audio.end / this.#channels;
  }

  /** Whether the signal has ended. */
  get finished(): boolean {
    return this.#finished;
  }

  /** The first sample that a state of so many hops does not hold. */
  sampleOf(hops: number): number {
    return Math.max(0, hops * this.#plan.hopSamples - this.#plan.leadSamples);
  }

  /** A copy of pushed samples `from … to` of every channel; see {@linkcode SampleLog.slice}. */
  slice(from: number, to: number): Float32Array<ArrayBuffer> {
    return this.#audio.slice(from * this.#channels, to * this.#channels);
  }

  /** Samples `[n, channels]` are handed to the stream. */
  push(samples: Float32Array): void {
    this.#audio.append(samples);
  }

  /** Something else is wanted from the next frame on; all that was pushed has been reported. */
  update(want: Want): void {
    this.#want = want;
    const isAgain = this.#updates.at(-1)?.atHop === this.#hopsReported; // no frame had the former
    if (isAgain) this.#updates.pop();
    this.#updates.push({ atHop: this.#hopsReported, want });
  }

  /** The signal ends. */
  finish(): void {
    this.#finished = true;
  }

  /** A segment begins. */
  reset(): void {
    this.#from = { checkpoint: { hopsTaken: 0 }, want: this.#want };
    this.#updates = [];
    this.#audio = new SampleLog(0);
    this.#hopsReported = 0;
    this.#finished = false;
  }

  /** A step was reported. What lies before its checkpoint is forgotten. */
  reported(
    { hopsTaken, want, checkpoint }: { hopsTaken: number; want: Want; checkpoint?: Checkpoint },
  ): void {
    this.#hopsReported = Math.max(this.#hopsReported, hopsTaken);
    if (!checkpoint) return;
    const sample = this.sampleOf(checkpoint.hopsTaken);
    if (sample > this.pushedSamples) return; // it holds the padding of a finished signal
    this.#from = { checkpoint, want };
    this.#updates = this.#updates.filter(({ atHop }) => atHop >= checkpoint.hopsTaken);
    this.#audio.dropBefore(sample * this.#channels);
  }
}
