/**
 * Messages between the main thread and the model workers. A lease names a stream, and messages with
 * an old lease are ignored.
 */
import type { Backend, EngineKind, EngineOptions } from "../model/engine.ts";
import type { EventState, HeadEvent } from "../model/heads/events.ts";
import type { Weights } from "../model/weights.ts";
import type { ErrorCode } from "../errors.ts";
import type { Piece, Snapshot } from "./snapshot.ts";

/** Live streams go before files. */
export type Priority = "live" | "file";

/** What a stream's owner wants from each frame. */
export interface Want {
  readonly context: boolean;
  readonly latent: boolean;
  /** Steps k (1-based, ascending) whose predictions are wanted; empty for none. */
  readonly prediction: readonly number[];
  /**
   * Steps whose scores are wanted; empty for none. A row is surprise, nce of each, correct of each;
   * NaN where there is none yet.
   */
  readonly score: readonly number[];
  /** Frames f with f mod every = 0. */
  readonly every: number;
  /** Nothing but latents will ever be wanted: the context network need not run. */
  readonly latentOnly?: boolean;
  /** Names of the heads whose rows are wanted. */
  readonly heads?: readonly string[];
  /** The enrolled voice that a head compares with: `[C]`, of length 1. */
  readonly voice?: Float32Array;
}

/** A stream's place in a worker, fenced by its generation. */
export interface Lease {
  readonly index: number;
  readonly generation: number;
}

/** A stream's state between two steps. */
export interface Checkpoint {
  /** Hops that the state holds; its next sample is `hopsTaken · hop − lead`. */
  readonly hopsTaken: number;
  /** `[channels, S]`; undefined at the start, when all of it is zero */
  readonly state?: Float32Array;
  /** If scores are wanted: what they need of the past, one for each channel. */
  readonly score?: readonly SavedScore[];
  /** If heads are wanted: their states. */
  readonly heads?: readonly SavedHead[];
}

/** A head's state between two steps (`worker/heads/stream_head.ts`). */
export interface SavedHead {
  readonly head: string;
  /** The channel that it hears, if it hears one of several. */
  readonly channel?: number;
  /** The next row, and its frames so far, in `features` `[channels, every, dims]`. */
  readonly row: number;
  readonly filled: number;
  readonly features: Float32Array;
  /** The head's states, one after the other. */
  readonly state: Snapshot;
  readonly events: readonly EventState[];
}

/** A checkpoint as a worker reports it (`saved_heads.ts` completes it). */
export interface ReportedCheckpoint extends Omit<Checkpoint, "heads"> {
  readonly heads?: readonly ReportedHead[];
}

/** A head's state as a worker reports it: what changed since the stream's checkpoint before. */
export interface ReportedHead extends Omit<SavedHead, "state"> {
  readonly changed: Piece;
  /** No checkpoint holds it yet: it began with zeros. */
  readonly anew: boolean;
}

/** What a live score needs of a channel's past (`worker/score/live_score.ts`). */
export interface SavedScore {
  /** The first frame that it heard, and the next one. */
  readonly since: number;
  readonly next: number;
  /** Latents that are or may become negatives. */
  readonly draws: Float32Array;
  /** `[K, C]`, the last K frames' */
  readonly hidden: Float32Array;
}

/**
 * Part of a stream's frames: `count` rows of each wanted output of each channel, beginning with
 * frame `first`. All channels of a stream have the same frames.
 */
export interface FrameBlock {
  readonly channels: number;
  readonly first: number;
  readonly count: number;
  /** Frames completed so far in this segment, whether wanted or not. */
  readonly frames: number;
  readonly want: Want;
  /**
   * One channel after the other; of each, the wanted outputs' rows, one output after the other:
   * context, latent, prediction, score. `channelBlock()` takes one channel out.
   */
  readonly data: Float32Array;
  /** What heads gave with these frames. */
  readonly heads?: readonly HeadBlock[];
}

/** Rows of one head: those that some frames completed, and the events that they decided. */
export interface HeadBlock {
  readonly head: string;
  /** The channel that it hears, if it hears one of several. */
  readonly channel?: number;
  /** Frames of a row. */
  readonly every: number;
  /** Index of the first row. */
  readonly first: number;
  readonly count: number;
  /** `[count, width]`: each row's outputs, one after the other */
  readonly data: Float32Array;
  readonly events: readonly HeadEvent[];
}

/** Main → worker, about one stream. */
export type StreamMessage =
  | {
    type: "open";
    lease: Lease;
    model: string;
    /** Signals that it carries in step, each with a state of its own. */
    channels: number;
    priority: Priority;
    want: Want;
    restore?: Checkpoint;
    checkpointHops: number;
  }
  /** `samples`: `[n, channels]`, interleaved */
  | { type: "audio"; lease: Lease; samples: Float32Array }
  | { type: "drain"; lease: Lease; id: number }
  | { type: "finish"; lease: Lease; id: number }
  | { type: "reset"; lease: Lease }
  | { type: "update"; lease: Lease; want: Want }
  | { type: "release"; lease: Lease };

/**
 * What a message hands over instead of copying. Small arrays are copied, which takes less than
 * handing them over.
 */
export function handedOver(array: Float32Array<ArrayBuffer>): ArrayBuffer[] {
  return array.byteLength < HANDED_OVER_BYTES ? [] : [array.buffer];
}
const HANDED_OVER_BYTES = 16 * 1024;

/** Main → worker, several at a time. */
export type ToWorker =
  | {
    type: "load";
    kind: EngineKind;
    options: EngineOptions;
    models: readonly Weights[];
    /** How many posts there were to the worker, each counted before it is made: one number. */
    posted: Int32Array<SharedArrayBuffer>;
  }
  /** More models; streams of the others go on. */
  | { type: "add"; id: number; models: readonly Weights[] }
  /** Models without streams. */
  | { type: "remove"; models: readonly string[] }
  | StreamMessage
  | { type: "ping" }
  | { type: "close" };

/**
 * The result of one step for one stream: a {@linkcode FrameBlock}, whose data lies in the step's.
 */
export interface StepResult {
  readonly lease: Lease;
  readonly channels: number;
  /** Hops taken so far in this segment. */
  readonly hopsTaken: number;
  readonly first: number;
  readonly count: number;
  readonly frames: number;
  readonly want: Want;
  /** Where its rows begin in the step's data, and their number of floats. */
  readonly offset: number;
  readonly length: number;
  readonly checkpoint?: ReportedCheckpoint;
  readonly heads?: readonly HeadBlock[];
}

/** The results of a step on their way between threads (`step_results.ts`). */
export interface PackedResults {
  /** As many of each result. */
  readonly numbers: readonly number[];
  /** What results have besides numbers, in their order. */
  readonly others?: readonly PackedResult[];
}

/** What one result has besides numbers. */
export interface PackedResult extends Pick<StepResult, "checkpoint" | "heads"> {
  /** Which result of the step. */
  readonly at: number;
  /** If the stream wants something else than at its step before. */
  readonly want?: Want;
}

/** How long a head took for its rows of a step. */
export interface HeadTiming {
  readonly head: string;
  readonly rows: number;
  readonly ms: number;
}

/** The time of a step. */
export interface StepTiming {
  /** Id of the model. */
  readonly model: string;
  readonly stepMs: number;
  /** As the engine counts them: each channel is one. */
  readonly streams: number;
  /** Per stream. */
  readonly hops: number;
  /** Those of its heads; their time is part of the step's. */
  readonly heads?: readonly HeadTiming[];
  /** With `--profile`: the step's parts in ms, by name. */
  readonly parts?: Readonly<Record<string, number>>;
}

/** What models cost, by id, as measured when they were loaded. */
export interface ModelCosts {
  secondsPerHop: Record<string, number>;
  /** Of each model's heads. */
  secondsPerRow: Record<string, Record<string, number>>;
}

/** Worker → main. */
export type FromWorker =
  | ({ type: "loaded"; device: string; backend: Backend } & ModelCosts)
  | { type: "load_failed"; code: ErrorCode; message: string }
  | ({ type: "added"; id: number } & ModelCosts)
  /** None of them is there. */
  | { type: "add_failed"; id: number; code: ErrorCode; message: string }
  | ({ type: "step"; results: PackedResults; data: Float32Array } & StepTiming)
  /** `heads`: the events that the end of the signal brings */
  | {
    type: "reached";
    lease: Lease;
    id: number;
    frames: number;
    heads?: readonly HeadBlock[];
  }
  /** `alone`: the fault is the stream's, whatever worker it is in */
  | { type: "failed"; lease: Lease; code: ErrorCode; message: string; alone?: true }
  /** A step failed and was tried again, stream by stream. */
  | { type: "retried"; error: string }
  /** The answer to `ping`, given between two steps. */
  | { type: "pong" }
  | { type: "closed" };
