/**
 * Steps of few shapes, for a card: it compiles a kernel for a new shape, which a stream in the
 * middle of its speech should not wait for.
 *
 * Legend: B streams, T hops, P rows after padding, S floats of state.
 */
import type { Engine, StepInput, StepOutput } from "../engine.ts";
import { Scratch } from "../scratch.ts";

/** Devices that are cards. */
const CARDS = ["webgpu", "cuda"];

/**
 * Pads the batches of an engine on a card with streams of zeros, up to the next power of two, and
 * drops their rows. Rows of a step do not know each other, so the others stay what they are.
 */
export function paddedOnCard(engine: Engine): Engine {
  return CARDS.includes(engine.device) ? new PaddedEngine(engine) : engine;
}

/** An engine that takes steps of 1, 2, 4, … streams only. */
export class PaddedEngine implements Engine {
  readonly #engine: Engine;
  readonly #inputs = new Scratch();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  get kind(): Engine["kind"] {
    return this.#engine.kind;
  }

  get backend(): Engine["backend"] {
    return this.#engine.backend;
  }

  get device(): string {
    return this.#engine.device;
  }

  get precision(): Engine["precision"] {
    return this.#engine.precision;
  }

  get layout(): Engine["layout"] {
    return this.#engine.layout;
  }

  get maxRows(): number {
    return this.#engine.maxRows;
  }

  async step(input: StepInput): Promise<StepOutput> {
    const { streams, hops } = input;
    const rows = powerOfTwoFrom(streams);
    if (rows === streams) return await this.#engine.step(input);
    const wider = (name: string, data: Float32Array) =>
      this.#padded(name, data, data.length / streams * rows);
    const output = await this.#engine.step({
      streams: rows,
      hops,
      samples: wider("samples", input.samples), // [P, T · hop]
      state: wider("state", input.state), // [P, S]
      masks: input.masks.map((mask, i) => wider(`mask ${i}`, mask)), // [P, T · rowsPerHop]
    });
    const own = (data: Float32Array) => data.subarray(0, data.length / rows * streams);
    const context = own(output.context);
    return {
      latent: own(output.latent),
      context,
      hidden: output.hidden === output.context ? context : own(output.hidden),
      state: own(output.state),
    };
  }

  async predict(hidden: Float32Array): Promise<Float32Array> {
    const { context, steps, latent } = this.layout.dims;
    const rows = hidden.length / context;
    const padded = this.#padded("hidden", hidden, powerOfTwoFrom(rows) * context);
    const prediction = await this.#engine.predict(padded);
    return prediction.subarray(0, rows * steps * latent);
  }

  async complete(): Promise<void> {
    await this.#engine.complete?.();
  }

  async dispose(): Promise<void> {
    await this.#engine.dispose();
  }

  /** The numbers, then zeros, in a reused buffer. */
  #padded(name: string, data: Float32Array, length: number): Float32Array<ArrayBuffer> {
    const padded = this.#inputs.take(name, length);
    padded.set(data);
    return padded.fill(0, data.length);
  }
}

/** The least power of two that is at least `n` (n ≥ 1). */
function powerOfTwoFrom(n: number): number {
  return 2 ** Math.ceil(Math.log2(n));
}
