/** The streams of a worker, by their leases. */
import type { Engine } from "../../model/engine.ts";
import type { OnnxHead } from "../../model/engines/onnx_head.ts";
import type { Lease, StreamMessage } from "../messages.ts";
import { StepRows } from "./step_rows.ts";
import { WorkerStream } from "./worker_stream.ts";

/** Shared by the streams of one model. */
interface Shared {
  readonly engine: Engine;
  readonly heads: ReadonlyMap<string, OnnxHead>;
  readonly step: StepRows;
}

/** Heads by the id of their model and their name. */
export type ModelHeads = ReadonlyMap<string, ReadonlyMap<string, OnnxHead>>;

/** Streams by the index of their lease: at most one for each, whatever its model. */
export class StreamTable {
  readonly #models = new Map<string, Shared>();
  readonly #streams = new Map<number, WorkerStream>();
  /** Those that may have hops to take, or that speak; the others cost a step nothing. */
  readonly #awake = new Set<WorkerStream>();

  constructor(engines: ReadonlyMap<string, Engine>, heads: ModelHeads = new Map()) {
    for (const [id, engine] of engines) this.addModel(id, { engine, heads: heads.get(id) });
  }

  /** Lets streams of a model be opened. */
  addModel(
    id: string,
    { engine, heads = new Map() }: { engine: Engine; heads?: ReadonlyMap<string, OnnxHead> },
  ): void {
    this.#models.set(id, { engine, heads, step: new StepRows(engine.layout.dims, engine) });
  }

  /** No stream of this model is there, or will be opened: frees what its streams shared. */
  removeModel(id: string): void {
    this.#models.get(id)?.step.free();
    this.#models.delete(id);
  }

  /** Something came for a stream that may lead to a step. */
  wake(stream: WorkerStream): void {
    this.#awake.add(stream);
  }

  /** The streams that have hops to take or have spoken lately. */
  awake(nowMs: number): WorkerStream[] {
    for (const stream of this.#awake) {
      if (stream.queue.hopsReady === 0 && !stream.pace.isSpeaking(nowMs)) {
        this.#awake.delete(stream);
      }
    }
    return [...this.#awake];
  }

  /** Opens the stream of a lease. */
  open(message: Extract<StreamMessage, { type: "open" }>): WorkerStream {
    const { lease: { index }, model, channels } = message;
    const shared = this.#models.get(model);
    if (!shared) throw new TypeError(`no model ${model} in this worker`);
    if (this.#streams.has(index)) throw new TypeError(`slot ${index} is leased already`);
    const { maxRows } = shared.engine;
    if (channels > maxRows) throw new TypeError(`a step has ${maxRows} rows, not ${channels}`);
    const stream = new WorkerStream(message, shared);
    this.#streams.set(index, stream);
    this.wake(stream);
    return stream;
  }

  /** The stream of a lease, unless the lease is old. */
  get(lease: Lease): WorkerStream | undefined {
    const stream = this.#streams.get(lease.index);
    return stream?.lease.generation === lease.generation ? stream : undefined;
  }

  /** Removes a stream and frees its memory; false if it was already removed. */
  remove(stream: WorkerStream): boolean {
    if (this.get(stream.lease) !== stream) return false;
    this.#streams.delete(stream.lease.index);
    this.#awake.delete(stream);
    stream.free();
    return true;
  }
}
