/**
 * A stream inside a worker: its state, its audio, its scores, and what is wanted from it. It has
 * one or more channels, which take each step together: a state and a score for each, and one queue.
 */
import type { Engine } from "../../model/engine.ts";
import type { OnnxHead } from "../../model/engines/onnx_head.ts";
import type { Dims } from "../../model/weights.ts";
import { StreamHeads } from "./heads/stream_heads.ts";
import { HopQueue } from "./hop_queue.ts";
import { LiveScore } from "./score/live_score.ts";
import type { StepRows } from "./step_rows.ts";
import {
  type Lease,
  type Priority,
  type ReportedCheckpoint,
  type SavedScore,
  type StreamMessage,
  type Want,
} from "../messages.ts";
import { checkpointsApart } from "../checkpoints_apart.ts";
import { Pace } from "../pace.ts";
import type { Candidate, Policy } from "./scheduler.ts";

/** A stream that waits for a step. */
export interface WaitingStream extends Candidate {
  readonly stream: WorkerStream;
}

/** One stream inside a worker. */
export class WorkerStream {
  readonly lease: Lease;
  readonly model: string;
  readonly channels: number;
  readonly engine: Engine;
  readonly priority: Priority;
  readonly pace = new Pace();
  /** `[channels, S]` */
  readonly state: Float32Array;
  /** Shared with the engine's other streams. */
  readonly step: StepRows;
  readonly heads: StreamHeads;
  queue: HopQueue;
  want: Want;
  /** Order of waiting: see {@linkcode Candidate}. */
  waitingSince = 0;
  /** Requests to answer once every ready hop has been taken. */
  readonly reaching: number[] = [];
  readonly #checkpointHops: number;
  #lastCheckpoint: number;
  /** How many times as far from it as usual the next one is. */
  #apart = 1;
  #scores: readonly LiveScore[] = [];

  /**
   * Its state is zero, or what the message's `restore` holds. The caller must ask for restored
   * scores ({@linkcode keepScores}).
   */
  constructor(
    { lease, model, channels, priority, want, restore, checkpointHops }: Extract<
      StreamMessage,
      { type: "open" }
    >,
    { engine, heads, step }: {
      engine: Engine;
      heads: ReadonlyMap<string, OnnxHead>;
      step: StepRows;
    },
  ) {
    this.lease = lease;
    this.model = model;
    this.channels = channels;
    this.engine = engine;
    this.priority = priority;
    this.want = want;
    this.state = new Float32Array(channels * engine.layout.stateFloats);
    this.queue = new HopQueue(engine.layout, { channels, hopsTaken: restore?.hopsTaken });
    this.step = step;
    this.#checkpointHops = checkpointHops;
    this.#lastCheckpoint = this.queue.hopsTaken;
    if (restore?.state) this.state.set(restore.state);
    const { hopSamples } = engine.layout.plan;
    this.heads = new StreamHeads({ known: heads, channels, hopSamples });
    const first = this.queue.frames;
    this.heads.keep(want, restore?.heads ? { saved: restore.heads, first } : { first });
  }

  /** One for each channel while scores are wanted, else none. */
  get scores(): readonly LiveScore[] {
    return this.#scores;
  }

  /**
   * Its place in the queue for the next step. `speaking`: whether a punctual stream is speaking.
   */
  waiting(
    { punctualFirst, numbersBesidePunctual }: Policy,
    { speaking }: { speaking: boolean },
  ): WaitingStream {
    const punctual = punctualFirst && this.priority === "live" && this.pace.punctual;
    const numbers = this.channels * numbersPerFrame(this.want, this.engine.layout.dims);
    const most = speaking && !punctual ? Math.max(1, numbersBesidePunctual / numbers) : Infinity;
    return {
      channels: this.channels,
      hopsReady: this.queue.hopsReady,
      mostHops: this.queue.young ? 1 : most,
      urgency: punctual ? "punctual" : this.priority,
      waitingSince: this.waitingSince,
      stream: this,
    };
  }

  /**
   * Makes sure that it has scores if they are wanted, and none otherwise.
   *
   * @param options how new scores begin: with their `first` frame, or as `saved`, each channel's
   * @throws {CpcError} `overloaded` if there is no memory for them
   */
  keepScores(
    options: { readonly first: number } | { readonly saved: readonly SavedScore[] },
  ): void {
    if (this.want.score.length === 0) return this.free();
    if (this.#scores.length > 0) return;
    const begin = "saved" in options
      ? options.saved.map((saved) => ({ saved }))
      : Array.from({ length: this.channels }, () => options);
    const scores: LiveScore[] = [];
    try {
      for (const one of begin) scores.push(new LiveScore(this.step, one));
    } catch (thrown) {
      for (const score of scores) score.free();
      throw thrown;
    }
    this.#scores = scores;
  }

  /** The frames among `first … first + count` that are wanted. */
  wantedRows({ first, count }: { first: number; count: number }): number[] {
    const { context, latent, prediction, score, every } = this.want;
    const rows: number[] = [];
    if (!context && !latent && prediction.length === 0 && score.length === 0) return rows;
    for (let f = Math.ceil(first / every) * every; f < first + count; f += every) rows.push(f);
    return rows;
  }

  /** Its state, if a checkpoint is due. */
  checkpoint(): ReportedCheckpoint | undefined {
    const { hopsTaken } = this.queue;
    const apart = this.#checkpointHops * this.#apart;
    if (apart === 0 || hopsTaken - this.#lastCheckpoint < apart) return undefined;
    this.#lastCheckpoint = hopsTaken;
    const score = this.#scores.length > 0 ? this.#scores.map((one) => one.save()) : undefined;
    const heads = this.heads.save();
    this.#apart = checkpointsApart(
      heads?.reduce((sum, { changed }) => sum + changed.values.length, 0) ?? 0,
    );
    return { hopsTaken, state: this.state.slice(), score, ...(heads && { heads }) };
  }

  /** Forgets everything it has heard. */
  reset(): void {
    this.free();
    this.state.fill(0);
    this.queue = new HopQueue(this.engine.layout, { channels: this.channels });
    this.heads.clear();
    this.heads.keep(this.want, { first: 0 });
    this.#lastCheckpoint = 0;
    this.#apart = 1;
  }

  /** Frees its scores' memory. */
  free(): void {
    for (const score of this.#scores) score.free();
    this.#scores = [];
  }
}

function numbersPerFrame({ context, latent, prediction, score, every }: Want, dims: Dims): number {
  const numbers = (context ? dims.context : 0) + (latent ? dims.latent : 0) +
    prediction.length * dims.latent + score.length;
  return numbers / every;
}
