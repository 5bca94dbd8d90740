/**
 * One stream of the pool, as its owner sees it: audio goes in, and frames are reported. Its worker
 * may be lost meanwhile: another one then continues it from its journal, and its owner notices only
 * a delay.
 */
import { CpcError } from "../errors.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import type { ModelLayout } from "../model/engine.ts";
import { blockFrom } from "./frame_block.ts";
import { Journal } from "./journal.ts";
import {
  type Checkpoint,
  type FrameBlock,
  handedOver,
  type HeadBlock,
  type Priority,
  type ReportedCheckpoint,
  type SavedHead,
  type Want,
} from "./messages.ts";
import { completeCheckpoint } from "./saved_heads.ts";

/** Seconds of audio between two checkpoints, if the owner asks for none. */
const CHECKPOINT_S = 2;
/**
 * Most losses of its worker that a stream lives through in so short a time: a stream that itself
 * breaks its workers must not break them all for ever.
 */
const LOSSES = { most: 3, withinMs: 60_000 } as const;

/** A new stream. */
export interface StreamOptions {
  /** Id of a loaded model. */
  readonly model: string;
  /**
   * Run its reversed network, which takes the recording backwards (see
   * {@linkcode PoolModel.reversed}).
   */
  readonly reverse?: boolean;
  /** Signals that it carries in step, each with a state of its own; 1 by default. */
  readonly channels?: number;
  readonly priority: Priority;
  readonly want: Want;
  /** Continue from here instead of from silence. */
  readonly restore?: Checkpoint;
  /** Report the state every this many hops; 0 (default) for never. */
  readonly checkpointHops?: number;
  /** Called for each step of this stream, in order; `count` may be 0. */
  readonly onFrames: (
    block: FrameBlock,
    step: { checkpoint?: Checkpoint; computeMs: number },
  ) => void;
  /** Called once if the stream breaks; its lease is then gone. */
  readonly onError: (error: CpcError) => void;
}

/** What a worker must know to begin or to continue a stream. */
export interface Opening {
  readonly model: string;
  readonly channels: number;
  readonly priority: Priority;
  readonly want: Want;
  readonly restore?: Checkpoint;
  readonly checkpointHops: number;
}

/** A message of a stream to its worker. */
export type SeatMessage =
  | { readonly type: "audio"; readonly samples: Float32Array<ArrayBuffer> }
  | { readonly type: "update"; readonly want: Want }
  | { readonly type: "reset" };

/** A place in a worker. It does nothing once it is lost or released. */
export interface Seat {
  post(message: SeatMessage, transfer?: Transferable[]): void;
  /** Calls back with the number of frames once everything posted has been reported. */
  request(type: "drain" | "finish", onReached: (frames: number) => void): void;
  release(): void;
}

/** Where seats come from. */
export interface Seats {
  readonly nowMs: () => number;
  /** Gives the stream a new seat, at once or later, or fails it. */
  move(stream: EngineStream, lost: CpcError): void;
  /** The stream needs none any more. */
  forget(stream: EngineStream): void;
}

interface Pending extends PromiseWithResolvers<number> {
  readonly type: "drain" | "finish";
}

/** One stream of the pool. Its methods do nothing once it has been released or has broken. */
export class EngineStream {
  /** Id of its model, or of the reversed network. */
  readonly model: string;
  readonly channels: number;
  readonly #options: StreamOptions;
  readonly #layout: ModelLayout;
  readonly #seats: Seats;
  readonly #journal: Journal;
  readonly #pending = new Set<Pending>();
  #seat?: Seat;
  /** Its worker has been sent everything that the journal holds. */
  #caughtUp = false;
  #frames = 0; // reported in this segment
  /** What its worker's next checkpoint goes on from. */
  #heads?: readonly SavedHead[];
  #lossesMs: number[] = [];
  #ended?: CpcError;

  /** @ignore created by {@linkcode EnginePool.open} */
  constructor(
    options: StreamOptions,
    { layout, seats }: { layout: ModelLayout; seats: Seats },
  ) {
    this.model = options.model;
    this.channels = options.channels ?? 1;
    this.#options = options;
    this.#layout = layout;
    this.#seats = seats;
    this.#journal = new Journal(layout.plan, options);
  }

  /**
   * Samples per channel (at 16 kHz) pushed in this segment but not yet stepped, including an
   * incomplete hop.
   */
  get queuedSamples(): number {
    const taken = this.#journal.sampleOf(this.#journal.hopsReported);
    return Math.max(0, this.#journal.pushedSamples - taken);
  }

  /**
   * Sends samples at 16 kHz to the worker. The array is transferred: do not use it again.
   *
   * @param samples `[n, channels]`, interleaved
   * @throws {RangeError} for a part of an instant: some channels' samples, but not all
   */
  push(samples: Float32Array<ArrayBuffer>): void {
    if (samples.length % this.channels !== 0) {
      throw new RangeError(`${samples.length} samples for a stream of ${this.channels} channels`);
    }
    if (samples.length === 0 || this.#ended) return;
    this.#journal.push(samples);
    if (this.#caughtUp) this.#seat?.post({ type: "audio", samples }, handedOver(samples));
  }

  /** Resolves to the number of frames once everything pushed has been stepped and reported. */
  drained(): Promise<number> {
    return this.#ask("drain");
  }

  /** Ends the signal. Resolves to the number of frames once the last one has been reported. */
  finish(): Promise<number> {
    this.#journal.finish();
    return this.#ask("finish");
  }

  /**
   * Begins a new segment, with state, tails and counters as in a new stream. Call it when drained.
   */
  reset(): void {
    if (this.#ended) return;
    this.#journal.reset();
    this.#frames = 0;
    if (this.#caughtUp) this.#seat?.post({ type: "reset" });
    else if (this.#seat) { // it is computing the former segment again
      this.#seat.release();
      this.#seat = undefined;
      this.#seats.move(this, ended());
    }
  }

  /** Changes what is wanted from the next frames on. Call it when drained. */
  update(want: Want): void {
    if (this.#ended) return;
    this.#journal.update(want);
    if (this.#caughtUp) this.#seat?.post({ type: "update", want });
  }

  /** Returns the slot. No frames are reported afterwards. */
  release(): void {
    if (this.#ended) return;
    this.#seat?.release();
    this.#end(new CpcError("model_failed", "this stream was released"));
  }

  /** @ignore what its next worker is told first */
  get opening(): Opening {
    const { checkpoint, want } = this.#journal.from;
    const { priority, checkpointHops } = this.#options;
    return {
      model: this.model,
      channels: this.channels,
      priority,
      want,
      restore: checkpoint.hopsTaken === 0 ? undefined : checkpoint,
      checkpointHops: checkpointHops ||
        Math.ceil(CHECKPOINT_S * MODEL_SAMPLE_RATE / this.#layout.plan.hopSamples),
    };
  }

  /** @ignore a worker has been told its {@linkcode opening} */
  sit(seat: Seat): void {
    this.#seat = seat;
    this.#heads = this.#journal.from.checkpoint.heads;
    void this.#replay(seat);
  }

  /** @ignore called by its worker */
  report(
    block: FrameBlock,
    { hopsTaken, checkpoint: reported, computeMs }: {
      hopsTaken: number;
      checkpoint?: ReportedCheckpoint;
      computeMs: number;
    },
  ): void {
    const checkpoint = reported && completeCheckpoint(reported, this.#heads);
    if (checkpoint) this.#heads = checkpoint.heads;
    const computedAgain = hopsTaken <= this.#journal.hopsReported;
    this.#journal.reported({ hopsTaken, want: block.want, checkpoint });
    if (computedAgain) return;
    const fresh = blockFrom(block, { from: this.#frames, dims: this.#layout.dims });
    this.#frames = block.frames;
    const asked = this.#options.checkpointHops ? checkpoint : undefined;
    this.#options.onFrames(fresh, { checkpoint: asked, computeMs });
  }

  /** @ignore the end of the signal has brought these events */
  reportHeads(heads: readonly HeadBlock[]): void {
    const frames = this.#frames;
    const want = this.#journal.want;
    const { channels } = this;
    const data = new Float32Array(0);
    const block = { channels, first: frames, count: 0, frames, want, data, heads };
    this.#options.onFrames(block, { computeMs: 0 });
  }

  /** @ignore its worker is gone, or could not take a step of this stream */
  lost(error: CpcError): void {
    if (this.#ended) return;
    this.#seat = undefined;
    this.#caughtUp = false;
    const nowMs = this.#seats.nowMs();
    this.#lossesMs = this.#lossesMs.filter((atMs) => nowMs - atMs < LOSSES.withinMs);
    this.#lossesMs.push(nowMs);
    if (this.#lossesMs.length > LOSSES.most) this.fail(error);
    else this.#seats.move(this, error);
  }

  /** @ignore it has broken */
  fail(error: CpcError): void {
    if (this.#ended) return;
    this.#end(error);
    this.#options.onError(error);
  }

  #end(error: CpcError): void {
    this.#ended = error;
    this.#seat = undefined;
    this.#caughtUp = false;
    this.#seats.forget(this);
    for (const { reject } of this.#pending) reject(error);
    this.#pending.clear();
  }

  #ask(type: "drain" | "finish"): Promise<number> {
    if (this.#ended) return Promise.reject(ended());
    const pending = { type, ...Promise.withResolvers<number>() };
    this.#pending.add(pending);
    if (this.#caughtUp) this.#request(pending);
    return pending.promise;
  }

  #request(pending: Pending): void {
    this.#seat?.request(pending.type, (frames) => {
      this.#pending.delete(pending);
      pending.resolve(frames);
    });
  }

  /**
   * Sends a seat what came since its opening, each change where it was made. What is reported
   * meanwhile is checked by {@linkcode report}.
   */
  async #replay(seat: Seat): Promise<void> {
    const journal = this.#journal;
    let at = journal.sampleOf(journal.from.checkpoint.hopsTaken);
    const send = (end: number) => {
      if (end <= at) return;
      const samples = journal.slice(at, end);
      at = end;
      seat.post({ type: "audio", samples }, handedOver(samples));
    };
    const made = new Set<unknown>();
    for (;;) {
      const update = journal.updates.find((update) => !made.has(update));
      if (!update) break;
      made.add(update);
      send(Math.min(journal.sampleOf(update.atHop), journal.pushedSamples));
      await new Promise<number>((resolve) => seat.request("drain", resolve));
      if (this.#seat !== seat) return; // lost, or released
      seat.post({ type: "update", want: update.want });
    }
    send(journal.pushedSamples);
    this.#caughtUp = true;
    if (journal.finished) seat.request("finish", () => {});
    for (const pending of this.#pending) this.#request(pending);
  }
}

function ended(): CpcError {
  return new CpcError("model_failed", "this stream has ended");
}
