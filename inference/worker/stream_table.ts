/** The streams of a worker by their leases, and the memory of their states. */
import type { Engine } from "../../model/engine.ts";
import type { Lease, StreamMessage } from "../messages.ts";
import { StepRows } from "./step_rows.ts";
import { WorkerStream } from "./worker_stream.ts";

/** Shared by the streams of one model. */
interface Shared {
  readonly engine: Engine;
  /** `[slots, S]` */
  readonly arena: Float32Array;
  readonly step: StepRows;
}

/** Streams by slot: at most one in each, whatever its model. */
export class StreamTable {
  readonly #models: ReadonlyMap<string, Shared>;
  readonly #streams = new Map<number, WorkerStream>();

  /** @param options `slots`: most streams at once */
  constructor(engines: ReadonlyMap<string, Engine>, { slots }: { slots: number }) {
    this.#models = new Map(Array.from(engines, ([id, engine]) => {
      const { stateFloats, dims } = engine.layout;
      const arena = new Float32Array(slots * stateFloats);
      return [id, { engine, arena, step: new StepRows(dims, engine) }];
    }));
  }

  /** All of them. */
  values(): Iterable<WorkerStream> {
    return this.#streams.values();
  }

  /** Opens a stream in its lease's slot. */
  open(message: Extract<StreamMessage, { type: "open" }>): WorkerStream {
    const { lease: { index }, model } = message;
    const shared = this.#models.get(model);
    if (!shared) throw new TypeError(`no model ${model} in this worker`);
    if (this.#streams.has(index)) throw new TypeError(`slot ${index} is leased already`);
    const { engine, arena, step } = shared;
    const { stateFloats } = engine.layout;
    const state = arena.subarray(index * stateFloats, (index + 1) * stateFloats);
    const stream = new WorkerStream(message, { engine, state, step });
    this.#streams.set(index, stream);
    return stream;
  }

  /** The stream of a lease, unless the lease is old. */
  get(lease: Lease): WorkerStream | undefined {
    const stream = this.#streams.get(lease.index);
    return stream?.lease.generation === lease.generation ? stream : undefined;
  }

  /** Removes a stream from its slot and frees its other memory; false if it was already removed. */
  remove(stream: WorkerStream): boolean {
    if (this.get(stream.lease) !== stream) return false;
    this.#streams.delete(stream.lease.index);
    stream.free();
    return true;
  }
}
