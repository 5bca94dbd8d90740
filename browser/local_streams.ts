/** The streams of one engine in this thread: they share its steps, as in a server's worker. */
import { toCpcError } from "../errors.ts";
import {
  EngineStream,
  type Seat,
  type SeatMessage,
  type Seats,
  type StreamOptions,
} from "../inference/engine_stream.ts";
import type { HeadBlock, Lease, StepResult, StreamMessage } from "../inference/messages.ts";
import { StepLoop } from "../inference/worker/step_loop.ts";
import type { Engine } from "../model/engine.ts";
import type { OnnxHead } from "../model/engines/onnx_head.ts";

interface Pending {
  readonly index: number;
  readonly onReached: (frames: number) => void;
}

/** Opens streams, and takes steps while any has audio. */
export class LocalStreams implements Seats {
  readonly nowMs = () => performance.now();
  readonly #model: string;
  readonly #engine: Engine;
  readonly #loop: StepLoop;
  readonly #turn: () => Promise<void>;
  /** By the index of their lease, which is never used again. */
  readonly #streams = new Map<number, EngineStream>();
  readonly #pending = new Map<number, Pending>();
  #nextIndex = 0;
  #nextId = 0;
  #running = false;

  /**
   * @param model its id
   * @param options `turn`: resolves once the thread has heard what came to it
   */
  constructor(
    model: string,
    { engine, heads, turn }: {
      engine: Engine;
      heads: ReadonlyMap<string, OnnxHead>;
      turn: () => Promise<void>;
    },
  ) {
    this.#model = model;
    this.#engine = engine;
    this.#turn = turn;
    this.#loop = new StepLoop(new Map([[model, engine]]), {
      heads: new Map([[model, heads]]),
      reports: {
        step: (results, data, { stepMs, streams }) =>
          this.#deliver(results, data, { msOfRow: stepMs / streams }),
        reached: ({ index }, id, frames, heads) => this.#reached(index, { id, frames, heads }),
        failed: ({ index }, error) => this.#streams.get(index)?.fail(error),
      },
    });
  }

  /** Opens a stream. */
  open(options: Omit<StreamOptions, "model" | "priority">): EngineStream {
    const stream = new EngineStream({ ...options, model: this.#model, priority: "live" }, {
      layout: this.#engine.layout,
      seats: this,
    });
    stream.sit(this.#seat(stream));
    return stream;
  }

  /** @ignore called by a stream that needs another seat */
  move(stream: EngineStream): void {
    stream.sit(this.#seat(stream));
  }

  /** @ignore called by a stream that ends */
  forget(stream: EngineStream): void {
    for (const [index, one] of this.#streams) if (one === stream) this.#leave(index);
  }

  #seat(stream: EngineStream): Seat {
    const lease: Lease = { index: this.#nextIndex++, generation: 0 };
    this.#streams.set(lease.index, stream);
    this.#post({ type: "open", lease, ...stream.opening });
    return {
      post: (message: SeatMessage) => this.#post({ ...message, lease }),
      request: (type, onReached) => {
        const id = this.#nextId++;
        this.#pending.set(id, { index: lease.index, onReached });
        this.#post({ type, lease, id });
      },
      release: () => {
        this.#post({ type: "release", lease });
        this.#leave(lease.index);
      },
    };
  }

  #leave(index: number): void {
    this.#streams.delete(index);
    for (const [id, pending] of this.#pending) {
      if (pending.index === index) this.#pending.delete(id);
    }
  }

  #post(message: StreamMessage): void {
    this.#loop.handle(message);
    if (!this.#running) void this.#run();
  }

  /** Steps until nothing is ready, hearing messages before each. */
  async #run(): Promise<void> {
    this.#running = true;
    try {
      do await this.#turn(); while (await this.#loop.step());
    } catch (error) {
      for (const stream of [...this.#streams.values()]) stream.fail(toCpcError(error));
    } finally {
      this.#running = false;
    }
  }

  #deliver(
    results: readonly StepResult[],
    data: Float32Array,
    { msOfRow }: { msOfRow: number },
  ): void {
    for (const { lease, hopsTaken, offset, length, checkpoint, ...rest } of results) {
      const block = { ...rest, data: data.subarray(offset, offset + length) };
      const computeMs = msOfRow * rest.channels;
      this.#streams.get(lease.index)?.report(block, { hopsTaken, checkpoint, computeMs });
    }
  }

  #reached(
    index: number,
    { id, frames, heads }: { id: number; frames: number; heads?: readonly HeadBlock[] },
  ): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (pending && heads) this.#streams.get(index)?.reportHeads(heads);
    pending?.onReached(frames);
  }
}
