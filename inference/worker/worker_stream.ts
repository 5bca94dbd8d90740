/**
 * A stream inside a worker: its slot of the arena, its audio, its score, and what is wanted from
 * it.
 */
import type { Engine } from "../../model/engine.ts";
import type { Dims } from "../../model/weights.ts";
import { HopQueue } from "./hop_queue.ts";
import { LiveScore } from "./score/live_score.ts";
import type { StepRows } from "./step_rows.ts";
import {
  type Checkpoint,
  type Lease,
  type Priority,
  type SavedScore,
  type StreamMessage,
  type Want,
} from "../messages.ts";
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
  readonly engine: Engine;
  readonly priority: Priority;
  readonly pace = new Pace();
  /** `[S]`, its slot of the arena */
  readonly state: Float32Array;
  /** Shared with the engine's other streams. */
  readonly step: StepRows;
  queue: HopQueue;
  want: Want;
  /** Order of waiting: see {@linkcode Candidate}. */
  waitingSince = 0;
  /** Requests to answer once every ready hop has been taken. */
  readonly reaching: number[] = [];
  readonly #checkpointHops: number;
  #lastCheckpoint: number;
  #score?: LiveScore;

  /**
   * Its state is zero, or what the message's `restore` holds. The caller must ask for a restored
   * score ({@linkcode keepScore}).
   *
   * @param options `state`: its slot of the arena
   */
  constructor(
    { lease, model, priority, want, restore, checkpointHops }: Extract<
      StreamMessage,
      { type: "open" }
    >,
    { engine, state, step }: { engine: Engine; state: Float32Array; step: StepRows },
  ) {
    this.lease = lease;
    this.model = model;
    this.engine = engine;
    this.priority = priority;
    this.want = want;
    this.state = state;
    this.queue = new HopQueue(engine.layout, restore?.hopsTaken);
    this.step = step;
    this.#checkpointHops = checkpointHops;
    this.#lastCheckpoint = this.queue.hopsTaken;
    if (restore?.state) state.set(restore.state);
    else state.fill(0);
  }

  /** Defined while scores are wanted. */
  get score(): LiveScore | undefined {
    return this.#score;
  }

  /**
   * Its place in the queue for the next step. `speaking`: whether a punctual stream is speaking.
   */
  waiting(
    { punctualFirst, numbersBesidePunctual }: Policy,
    { speaking }: { speaking: boolean },
  ): WaitingStream {
    const punctual = punctualFirst && this.priority === "live" && this.pace.punctual;
    const most = speaking && !punctual
      ? Math.max(1, numbersBesidePunctual / numbersPerFrame(this.want, this.engine.layout.dims))
      : Infinity;
    return {
      hopsReady: this.queue.hopsReady,
      mostHops: this.queue.young ? 1 : most,
      urgency: punctual ? "punctual" : this.priority,
      waitingSince: this.waitingSince,
      stream: this,
    };
  }

  /**
   * Makes sure that it has a score if one is wanted, and none otherwise.
   *
   * @param options how a new score begins: with its `first` frame, or as `saved`
   * @throws {CpcError} `overloaded` if there is no memory for it
   */
  keepScore(options: { readonly first: number } | { readonly saved: SavedScore }): void {
    if (this.want.score.length === 0) this.free();
    else this.#score ??= new LiveScore(this.step, options);
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
  checkpoint(): Checkpoint | undefined {
    const { hopsTaken } = this.queue;
    if (this.#checkpointHops === 0 || hopsTaken - this.#lastCheckpoint < this.#checkpointHops) {
      return undefined;
    }
    this.#lastCheckpoint = hopsTaken;
    return { hopsTaken, state: this.state.slice(), score: this.#score?.save() };
  }

  /** Forgets everything it has heard. */
  reset(): void {
    this.free();
    this.state.fill(0);
    this.queue = new HopQueue(this.engine.layout);
    this.#lastCheckpoint = 0;
  }

  /** Frees its score's memory. */
  free(): void {
    this.#score?.free();
    this.#score = undefined;
  }
}

function numbersPerFrame({ context, latent, prediction, score, every }: Want, dims: Dims): number {
  const numbers = (context ? dims.context : 0) + (latent ? dims.latent : 0) +
    prediction.length * dims.latent + score.length;
  return numbers / every;
}
