/**
 * The heart of a model worker: an arena of states, the streams that lease its slots, and one step
 * after the other.
 */
import { CpcError } from "../../errors.ts";
import { MODEL_SAMPLE_RATE } from "../../model/architecture.ts";
import type { Engine, StepOutput } from "../../model/engine.ts";
import type { StepFrames } from "./hop_queue.ts";
import { StepRows } from "./step_rows.ts";
import { LoopStream } from "./loop_stream.ts";
import type { Lease, SavedScore, StepResult, StepTiming, StreamMessage } from "../messages.ts";
import { RowPacker } from "./row_packer.ts";
import { type Batch, byUrgency, holdMs, nextBatch, othersDue } from "./scheduler.ts";

/**
 * What came of asking for a step: one was taken, nothing is ready, or the thread is to listen
 * before the next one, so long or until a message comes.
 */
export type Stepped = "stepped" | "idle" | { readonly pauseMs: number };

/** Where the loop reports to. */
export interface StepReports {
  step(results: StepResult[], data: Float32Array, timing: StepTiming): void;
  reached(lease: Lease, id: number, frames: number): void;
  failed(lease: Lease, error: CpcError): void;
}

/** Runs steps for the streams of one worker, for each of its models. */
export class StepLoop {
  readonly #engines: ReadonlyMap<string, Engine>;
  readonly #arenas = new Map<Engine, Float32Array>();
  readonly #rows = new Map<Engine, StepRows>();
  readonly #streams = new Map<number, LoopStream>();
  readonly #reports: StepReports;
  readonly #nowMs: () => number;
  #stepping = false;
  #lastOthers = { endedMs: -Infinity, tookMs: 0 };
  readonly #waiting: StreamMessage[] = [];
  #clock = 0; // counts readiness and service: an order, not a time

  /** @param options `slots`: most streams at once; `nowMs`: the clock, for tests */
  constructor(
    engines: ReadonlyMap<string, Engine>,
    { slots, reports, nowMs = () => performance.now() }: {
      slots: number;
      reports: StepReports;
      nowMs?: () => number;
    },
  ) {
    this.#engines = engines;
    this.#reports = reports;
    this.#nowMs = nowMs;
    for (const engine of engines.values()) {
      this.#arenas.set(engine, new Float32Array(slots * engine.layout.stateFloats));
    }
  }

  /**
   * Takes a message. One that comes while a step is computed waits for the step's end: a step sees
   * its streams as they were when it began, and commits to nothing else.
   */
  handle(message: StreamMessage): void {
    if (this.#stepping) this.#waiting.push(message);
    else this.#apply(message);
  }

  #apply(message: StreamMessage): void {
    switch (message.type) {
      case "open":
        return this.#open(message);
      case "audio":
        return this.#audio(message.lease, message.samples);
      case "drain":
        return this.#drain(message.lease, message.id);
      case "finish":
        this.#current(message.lease)?.queue.finish();
        return this.#drain(message.lease, message.id);
      case "reset":
        return this.#current(message.lease)?.reset();
      case "update": {
        const stream = this.#current(message.lease);
        if (stream) stream.want = message.want;
        return;
      }
      case "release": {
        const stream = this.#current(message.lease);
        if (stream) this.#remove(stream);
      }
    }
  }

  /** Opens a stream in a slot: its state is zero, or what `restore` holds. */
  #open(message: Extract<StreamMessage, { type: "open" }>): void {
    const { lease: { index }, model, restore } = message;
    const engine = this.#engines.get(model);
    const arena = engine && this.#arenas.get(engine);
    if (!engine || !arena) throw new TypeError(`no model ${model} in this worker`);
    if (this.#streams.has(index)) throw new TypeError(`slot ${index} is leased already`);
    const { stateFloats } = engine.layout;
    const state = arena.subarray(index * stateFloats, (index + 1) * stateFloats);
    const stream = new LoopStream(message, {
      engine,
      state,
      step: this.#rowsOf(engine),
      waitingSince: this.#clock++,
    });
    this.#streams.set(index, stream);
    if (restore?.score) this.#keepScore(stream, { saved: restore.score });
  }

  /** Adds audio to a stream. */
  #audio(lease: Lease, samples: Float32Array): void {
    const stream = this.#current(lease);
    if (!stream) return;
    const idle = stream.queue.hopsReady === 0;
    stream.queue.push(samples);
    stream.pace.heard(samples.length / MODEL_SAMPLE_RATE, this.#nowMs());
    if (idle) stream.waitingSince = this.#clock++;
  }

  /** Answers `reached` when all that has come so far has been stepped. */
  #drain(lease: Lease, id: number): void {
    const stream = this.#current(lease);
    if (!stream) return;
    stream.reaching.push(id);
    this.#answerReached(stream);
  }

  /** Takes one step of those that wait the longest, then the messages that came meanwhile. */
  async step(): Promise<Stepped> {
    const startedMs = this.#nowMs();
    const live = [...this.#streams.values()].filter(({ priority }) => priority === "live");
    const speaking = live.some(({ pace }) => pace.isSpeaking(startedMs));
    const ready = [...this.#streams.values()].filter(({ queue }) => queue.hopsReady > 0)
      .map((stream) => stream.waiting({ speaking }));
    if (ready.length === 0) return "idle";
    const first = ready.reduce((a, b) => byUrgency(a, b) <= 0 ? a : b);
    if (speaking && first.urgency !== "punctual") {
      const expected = live.flatMap(({ pace }) => pace.expected(startedMs) ?? []);
      const hold = holdMs({ expected, nowMs: startedMs, last: this.#lastOthers });
      if (hold > 0) return { pauseMs: hold };
    }
    const { engine } = first.stream;
    const batch = nextBatch(ready.filter(({ stream }) => stream.engine === engine), {
      maxRows: engine.maxRows,
      speaking,
      othersDue: othersDue(this.#lastOthers, startedMs),
    });
    if (!batch) return "idle";
    this.#stepping = true;
    try {
      await this.#run(engine, {
        hops: batch.hops,
        streams: batch.streams.map((candidate) => candidate.stream),
      });
    } finally {
      const endedMs = this.#nowMs();
      if (batch.streams.some(({ urgency }) => urgency !== "punctual")) {
        // steps differ in length, rather too long than too short; those that nobody waits for are
        // longer ones
        const tookMs = speaking ? Math.max(endedMs - startedMs, 0.95 * this.#lastOthers.tookMs) : 0;
        this.#lastOthers = { endedMs, tookMs };
      }
      this.#stepping = false;
      for (const message of this.#waiting.splice(0)) this.#apply(message);
    }
    // audio may have come meanwhile
    return speaking && first.urgency !== "punctual" ? { pauseMs: 0 } : "stepped";
  }

  async #run(engine: Engine, { hops, streams }: Batch<LoopStream>): Promise<void> {
    const started = this.#nowMs();
    const { plan, stateFloats } = engine.layout;
    const B = streams.length;
    const samples = new Float32Array(B * hops * plan.hopSamples); // [B, T · hop]
    const state = new Float32Array(B * stateFloats); // [B, S]
    // [B, T · rowsPerHop] each
    const masks = plan.convs.map((conv) => new Float32Array(B * hops * conv.rowsPerHop));
    const frames = streams.map((stream, b) => {
      state.set(stream.state, b * stateFloats);
      return stream.queue.take(hops, {
        samples: row(samples, b, B),
        masks: masks.map((mask) => row(mask, b, B)),
      });
    });
    try {
      const output = await engine.step({ streams: B, hops, samples, state, masks });
      await this.#deliver(engine, { streams, hops, frames, output, started });
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      for (const stream of streams) {
        this.#fail(
          stream,
          new CpcError("model_failed", `the model failed on this step: ${reason}`, {
            cause: thrown,
          }),
        );
      }
    }
  }

  /** Commits the new states and reports the wanted rows. */
  async #deliver(
    engine: Engine,
    { streams, hops, frames, output, started }: {
      streams: readonly LoopStream[];
      hops: number;
      frames: readonly StepFrames[];
      output: StepOutput;
      started: number;
    },
  ): Promise<void> {
    const { dims, stateFloats } = engine.layout;
    const B = streams.length;
    const packer = new RowPacker(engine, this.#rowsOf(engine));
    const results: StepResult[] = [];
    const sound = streams.map((stream, b) => {
      const state = output.state.subarray(b * stateFloats, (b + 1) * stateFloats);
      if (!allFinite(state) || !allFinite(row(output.latent, b, B))) {
        this.#fail(
          stream,
          new CpcError(
            "invalid_audio",
            "the samples are so large that the model overflowed; send floats near ±1",
          ),
        );
        return false;
      }
      stream.state.set(state);
      stream.waitingSince = this.#clock++;
      return true;
    });
    for (const [b, stream] of streams.entries()) {
      const { first, skip, count } = frames[b];
      if (!sound[b] || !this.#keepScore(stream, { first })) continue;
      const rows = stream.wantedRows({ first, count });
      const place = packer.add({
        want: stream.want,
        score: stream.score,
        frames: { first, skip, count },
        rows: rows.map((f) => skip + f - first),
        latent: output.latent.subarray(b * hops * dims.latent, (b + 1) * hops * dims.latent),
        context: row(output.context, b, B),
        hidden: row(output.hidden, b, B),
      });
      results.push({
        lease: stream.lease,
        hopsTaken: stream.queue.hopsTaken,
        first: rows[0] ?? first,
        count: rows.length,
        frames: stream.queue.frames,
        want: stream.want,
        ...place,
        checkpoint: stream.checkpoint(),
      });
    }
    const data = await packer.pack();
    this.#reports.step(results, data, {
      model: streams[0].model,
      stepMs: this.#nowMs() - started,
      streams: B,
      hops,
    });
    for (const stream of streams) {
      // those that did not fail
      if (this.#current(stream.lease) === stream) this.#answerReached(stream);
    }
  }

  /** A stream whose score cannot be kept fails; false then. */
  #keepScore(
    stream: LoopStream,
    options: { readonly first: number } | { readonly saved: SavedScore },
  ): boolean {
    try {
      stream.keepScore(options);
      return true;
    } catch (thrown) {
      if (!(thrown instanceof CpcError)) throw thrown;
      this.#fail(stream, thrown);
      return false;
    }
  }

  #rowsOf(engine: Engine): StepRows {
    let rows = this.#rows.get(engine);
    if (!rows) this.#rows.set(engine, rows = new StepRows(engine.layout.dims, engine));
    return rows;
  }

  #answerReached(stream: LoopStream): void {
    if (stream.queue.hopsReady > 0) return;
    for (const id of stream.reaching.splice(0)) {
      this.#reports.reached(stream.lease, id, stream.queue.frames);
    }
  }

  #fail(stream: LoopStream, error: CpcError): void {
    if (this.#current(stream.lease) !== stream) return;
    this.#remove(stream);
    this.#reports.failed(stream.lease, error);
  }

  #remove(stream: LoopStream): void {
    this.#streams.delete(stream.lease.index);
    stream.free();
  }

  /** The stream of a lease, if the lease is not an old one. */
  #current(lease: Lease): LoopStream | undefined {
    const stream = this.#streams.get(lease.index);
    return stream?.lease.generation === lease.generation ? stream : undefined;
  }
}

/** Row b of a `[B, …]` array. */
function row(data: Float32Array, b: number, B: number): Float32Array {
  const width = data.length / B;
  return data.subarray(b * width, (b + 1) * width);
}

function allFinite(data: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i] * 0; // NaN as soon as one is not finite
  return sum === 0;
}
