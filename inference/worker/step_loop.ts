/**
 * The heart of a model worker: it takes messages about its streams, and one step after the other.
 */
import { CpcError } from "../../errors.ts";
import { MODEL_SAMPLE_RATE } from "../../model/architecture.ts";
import type { Engine } from "../../model/engine.ts";
import type { HeadBlock, Lease, StepResult, StepTiming, StreamMessage } from "../messages.ts";
import { type Batch, byUrgency, nextBatch, POLICY, type Policy } from "./scheduler.ts";
import { takeStep } from "./step.ts";
import { StepClock } from "./step_clock.ts";
import { type ModelHeads, StreamTable } from "./stream_table.ts";
import type { WorkerStream } from "./worker_stream.ts";

/** The loop's callbacks. */
export interface StepReports {
  step(results: StepResult[], data: Float32Array, timing: StepTiming): void;
  /** `heads`: the events that the end of the signal brings. */
  reached(lease: Lease, id: number, frames: number, heads?: readonly HeadBlock[]): void;
  failed(lease: Lease, error: CpcError): void;
  /** A step failed and was taken again, stream by stream. */
  retried?(reason: string): void;
}

/** What the loop is told: about a stream, or that models have no streams any more. */
export type LoopMessage =
  | StreamMessage
  | { readonly type: "remove"; readonly models: readonly string[]; readonly done: () => void };

/** Runs steps for the streams of one worker, for each of its models. */
export class StepLoop {
  readonly #streams: StreamTable;
  readonly #reports: StepReports;
  readonly #nowMs: () => number;
  readonly #policy: Policy;
  readonly #profile: boolean;
  #stepping = false;
  readonly #waiting: LoopMessage[] = [];
  #clock = 0; // counts readiness and service: an order, not a time

  /**
   * @param options `heads`: of each model; `profile`: time the parts of each step; `nowMs`: the
   *   clock, for tests; `policy`: for the bench
   */
  constructor(
    engines: ReadonlyMap<string, Engine>,
    { heads, reports, profile = false, nowMs = () => performance.now(), policy = POLICY }: {
      heads?: ModelHeads;
      profile?: boolean;
      policy?: Policy;
      reports: StepReports;
      nowMs?: () => number;
    },
  ) {
    this.#streams = new StreamTable(engines, heads);
    this.#reports = reports;
    this.#nowMs = nowMs;
    this.#policy = policy;
    this.#profile = profile;
  }

  /**
   * Takes a message. One that arrives during a step waits for its end, so that a step sees its
   * streams as they were when it began, and commits to no others.
   */
  handle(message: LoopMessage): void {
    if (this.#stepping) this.#waiting.push(message);
    else this.#apply(message);
  }

  /** Lets streams of one more model be opened. */
  addModel(id: string, parts: Parameters<StreamTable["addModel"]>[1]): void {
    this.#streams.addModel(id, parts);
  }

  #apply(message: LoopMessage): void {
    switch (message.type) {
      case "open":
        return this.#open(message);
      case "audio":
        return this.#audio(message.lease, message.samples);
      case "drain":
        return this.#drain(message.lease, message.id);
      case "finish":
        this.#finish(message.lease);
        return this.#drain(message.lease, message.id);
      case "reset":
        return this.#reset(message.lease);
      case "update": {
        const stream = this.#streams.get(message.lease);
        if (stream) stream.want = message.want;
        return;
      }
      case "release": {
        const stream = this.#streams.get(message.lease);
        if (stream) this.#streams.remove(stream);
        return;
      }
      case "remove":
        for (const id of message.models) this.#streams.removeModel(id);
        message.done();
    }
  }

  #open(message: Extract<StreamMessage, { type: "open" }>): void {
    const stream = this.#streams.open(message);
    stream.waitingSince = this.#clock++;
    if (!message.restore?.score) return;
    try {
      stream.keepScores({ saved: message.restore.score });
    } catch (thrown) {
      if (!(thrown instanceof CpcError)) throw thrown;
      this.#fail(stream, thrown);
    }
  }

  /** Adds audio to a stream. */
  #audio(lease: Lease, samples: Float32Array): void {
    const stream = this.#streams.get(lease);
    if (!stream) return;
    this.#streams.wake(stream);
    const idle = stream.queue.hopsReady === 0;
    stream.queue.push(samples);
    stream.pace.heard(samples.length / stream.channels / MODEL_SAMPLE_RATE, this.#nowMs());
    if (idle) stream.waitingSince = this.#clock++;
  }

  /** Ends a stream's signal; its last frames may now be due. */
  #finish(lease: Lease): void {
    const stream = this.#streams.get(lease);
    if (!stream) return;
    stream.queue.finish();
    this.#streams.wake(stream);
  }

  #reset(lease: Lease): void {
    const stream = this.#streams.get(lease);
    if (!stream) return;
    stream.reset();
    this.#streams.wake(stream);
  }

  /** Answers `reached` once everything received so far has been stepped. */
  #drain(lease: Lease, id: number): void {
    const stream = this.#streams.get(lease);
    if (!stream) return;
    stream.reaching.push(id);
    this.#answerReached(stream);
  }

  /**
   * Takes one step, then the messages that arrived meanwhile.
   *
   * @returns false if nothing is ready
   */
  async step(): Promise<boolean> {
    const nowMs = this.#nowMs();
    const streams = this.#streams.awake(nowMs);
    const speaking = this.#policy.punctualFirst &&
      streams.some(({ priority, pace }) => priority === "live" && pace.isSpeaking(nowMs));
    const ready = streams.filter(({ queue }) => queue.hopsReady > 0)
      .map((stream) => stream.waiting(this.#policy, { speaking }));
    if (ready.length === 0) return false;
    const { engine } = ready.reduce((a, b) => byUrgency(a, b) <= 0 ? a : b).stream;
    const batch = nextBatch(ready.filter(({ stream }) => stream.engine === engine), {
      maxRows: engine.maxRows,
      speaking,
      policy: this.#policy,
    });
    if (!batch) return false;
    this.#stepping = true;
    try {
      await this.#take({ hops: batch.hops, streams: batch.streams.map(({ stream }) => stream) });
    } finally {
      this.#stepping = false;
      for (const message of this.#waiting.splice(0)) this.#apply(message);
    }
    return true;
  }

  /** Takes a step and reports its result. */
  async #take(batch: Batch<WorkerStream>): Promise<void> {
    const startedMs = this.#nowMs();
    const clock = this.#profile ? new StepClock(this.#nowMs) : undefined;
    const { taken, failures, retried } = await takeStep(batch, clock);
    if (retried !== undefined) this.#reports.retried?.(retried);
    for (const [stream, error] of failures) this.#fail(stream, error);
    if (!taken) return;
    const { hops, streams } = batch;
    const rows = streams.reduce((sum, { channels }) => sum + channels, 0);
    this.#reports.step(taken.results, taken.data, {
      model: streams[0].model,
      stepMs: this.#nowMs() - startedMs,
      streams: rows,
      hops,
      ...(taken.heads.length > 0 && { heads: taken.heads }),
      ...(clock && { parts: clock.parts(streams[0].engine.shares?.(rows * hops)) }),
    });
    for (const stream of streams) {
      if (failures.has(stream)) continue;
      stream.waitingSince = this.#clock++;
      this.#answerReached(stream);
    }
  }

  #answerReached(stream: WorkerStream): void {
    if (stream.queue.hopsReady > 0) return;
    for (const id of stream.reaching.splice(0)) {
      const heads = stream.queue.finished ? stream.heads.finish() : undefined;
      this.#reports.reached(stream.lease, id, stream.queue.frames, heads);
    }
  }

  #fail(stream: WorkerStream, error: CpcError): void {
    if (!this.#streams.remove(stream)) return;
    this.#reports.failed(stream.lease, error);
  }
}
