/** One stream of the pool, as its owner sees it: audio goes in, and frames are reported. */
import type { CpcError } from "../errors.ts";
import type { Checkpoint, FrameBlock, Lease, Priority, StreamMessage, Want } from "./messages.ts";

/** A new stream. */
export interface StreamOptions {
  /** Id of a loaded model. */
  readonly model: string;
  /**
   * Run its reversed network, which takes the recording backwards (see
   * {@linkcode PoolModel.reversed}).
   */
  readonly reverse?: boolean;
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

/** A worker, as its streams see it. It ignores messages with an old lease. */
export interface StreamWorker {
  post(message: StreamMessage, transfer?: Transferable[]): void;
  /** Resolves to the number of frames once everything pushed has been reported. */
  request(type: "drain" | "finish", lease: Lease): Promise<number>;
  release(lease: Lease): void;
}

/** One stream of the pool. Its methods do nothing once it has been released or has broken. */
export class EngineStream {
  readonly #lease: Lease;
  readonly #worker: StreamWorker;
  readonly #options: StreamOptions;
  readonly #layout: { hopSamples: number; leadSamples: number };
  #pushed: number;
  #taken: number;

  /** @ignore created by {@linkcode EnginePool.open} */
  constructor(
    lease: Lease,
    worker: StreamWorker,
    options: StreamOptions,
    layout: { hopSamples: number; leadSamples: number },
  ) {
    this.#lease = lease;
    this.#worker = worker;
    this.#options = options;
    this.#layout = layout;
    this.#taken = this.#samplesOf(options.restore?.hopsTaken ?? 0);
    this.#pushed = this.#taken;
  }

  /** Samples at 16 kHz pushed in this segment but not yet stepped, including an incomplete hop. */
  get queuedSamples(): number {
    return Math.max(0, this.#pushed - this.#taken);
  }

  /** Sends mono samples at 16 kHz to the worker. The array is transferred: do not use it again. */
  push(samples: Float32Array<ArrayBuffer>): void {
    if (samples.length === 0) return;
    this.#pushed += samples.length;
    this.#worker.post({ type: "audio", lease: this.#lease, samples }, [samples.buffer]);
  }

  /** Resolves to the number of frames once everything pushed has been stepped and reported. */
  drained(): Promise<number> {
    return this.#worker.request("drain", this.#lease);
  }

  /** Ends the signal. Resolves to the number of frames once the last one has been reported. */
  finish(): Promise<number> {
    return this.#worker.request("finish", this.#lease);
  }

  /**
   * Begins a new segment, with state, tails and counters as in a new stream. Call it when drained.
   */
  reset(): void {
    this.#pushed = this.#taken = 0;
    this.#worker.post({ type: "reset", lease: this.#lease });
  }

  /** Changes what is wanted from the next frames on. */
  update(want: Want): void {
    this.#worker.post({ type: "update", lease: this.#lease, want });
  }

  /** Returns the slot. No frames are reported afterwards. */
  release(): void {
    this.#worker.release(this.#lease);
  }

  /** @ignore called by its worker */
  report(
    block: FrameBlock,
    { hopsTaken, ...step }: { hopsTaken: number; checkpoint?: Checkpoint; computeMs: number },
  ): void {
    this.#taken = this.#samplesOf(hopsTaken);
    this.#options.onFrames(block, step);
  }

  /** @ignore called by its worker */
  fail(error: CpcError): void {
    this.#options.onError(error);
  }

  #samplesOf(hops: number): number {
    return Math.max(0, hops * this.#layout.hopSamples - this.#layout.leadSamples);
  }
}
