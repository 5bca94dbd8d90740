/** A head in ONNX Runtime: its step for a batch of rows, and its trial. */
import type * as Ort from "onnxruntime-node";
import { CpcError, firstLine } from "../../errors.ts";
import { loadOnnxRuntime, runInto } from "./onnx_runtime.ts";
import { seeded } from "../seeded.ts";
import { type Dims } from "../weights.ts";
import { headShapes } from "../heads/check.ts";
import { statesInPlace } from "../heads/in_place.ts";
import { LinearHead } from "../heads/linear.ts";
import { readGraph } from "../heads/read_graph.ts";
import { type HeadFile, type HeadSpec, rowWidth, sizeOf, stateFloatsOf } from "../heads/spec.ts";

/** How far a row may be from the same row in another batch: products are rounded differently. */
const TOLERANCE = 1e-4;
/** How far a row of a head of one product may be from ONNX Runtime's. */
const LINEAR_TOLERANCE = 1e-5;
/** Steps that are timed; the fastest counts. */
const TIMED_STEPS = 5;
/** Rows that are timed together. */
const TIMED_ROWS = 8;
/** A state of more numbers than this costs more to gather than its batch saves: 1 MiB. */
export const LARGE_STATE_FLOATS = 2 ** 18;

/** A stream's state: one array for each of the head's states, in their order. */
export type HeadState = Float32Array<ArrayBuffer>[];

/** A head that can take a step for many rows at once. */
export class OnnxHead {
  readonly name: string;
  readonly spec: HeadSpec;
  /** It hears a stream beside the voice that its client enrolled. */
  readonly enrolled: boolean;
  /** Numbers of a row's features: channels · every · dims. */
  readonly featureFloats: number;
  /** Numbers of a row's outputs. */
  readonly width: number;
  /** Numbers of a stream's state. */
  readonly stateFloats: number;
  /** Seconds that a row takes in a batch, measured at start. */
  secondsPerRow = 0;
  readonly #ort: typeof Ort;
  readonly #session: Ort.InferenceSession;
  readonly #featureShape: readonly number[];
  readonly #inPlace: ReadonlySet<string>;
  #linear?: LinearHead;
  readonly #buffers = new Map<string, Float32Array<ArrayBuffer>>();

  private constructor(
    { name, spec, enrolled }: HeadFile,
    { ort, session, dims, inPlace }: {
      ort: typeof Ort;
      session: Ort.InferenceSession;
      dims: Dims;
      inPlace: ReadonlySet<string>;
    },
  ) {
    this.name = name;
    this.spec = spec;
    this.enrolled = enrolled === true;
    this.#ort = ort;
    this.#session = session;
    this.#featureShape = headShapes(spec, dims).inputs.get("features") ?? [];
    this.featureFloats = sizeOf(this.#featureShape);
    this.width = rowWidth(spec);
    this.stateFloats = stateFloatsOf(spec);
    this.#inPlace = inPlace;
  }

  /**
   * Loads a head and tries it.
   *
   * @param options `dims`: of the model whose features it hears
   * @throws {CpcError} `weights_invalid` if it cannot run, gives other shapes or numbers that are
   *   not finite, or if its rows change with the batch
   */
  static async create(file: HeadFile, { dims }: { dims: Dims }): Promise<OnnxHead> {
    const ort = await loadOnnxRuntime();
    const graph = new Uint8Array(file.graph);
    const states = file.spec.state.map(({ name }) => name);
    const summary = readGraph(graph, file.folder);
    const inPlace = statesInPlace(summary, states);
    let session: Ort.InferenceSession;
    try {
      session = await ort.InferenceSession.create(graph, {
        executionProviders: ["cpu"],
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
        executionMode: "sequential",
        graphOptimizationLevel: "all",
        logSeverityLevel: 3,
        extra: { session: { intra_op: { allow_spinning: "0" } } },
      });
    } catch (error) {
      throw refused(file.name, `ONNX Runtime cannot load it: ${firstLine(error)}`);
    }
    const head = new OnnxHead(file, { ort, session, dims, inPlace });
    try {
      await head.#trial();
      const { spec, featureFloats: inputs } = head;
      await head.#tryLinear(LinearHead.of(summary, { spec, inputs }));
      head.secondsPerRow = await head.#time();
    } catch (error) {
      await head.dispose();
      throw error instanceof CpcError
        ? error
        : refused(file.name, `its first step failed: ${firstLine(error)}`);
    }
    return head;
  }

  /** If it is one product: what computes its rows, at once; the session is released then. */
  get linear(): LinearHead | undefined {
    return this.#linear;
  }

  /** A new stream's state: zeros. */
  newState(): HeadState {
    return this.spec.state.map(({ shape }) => new Float32Array(sizeOf(shape)));
  }

  /**
   * Takes a step of B rows, each of another stream.
   *
   * @param features `[B, channels, every, dims]`
   * @param states of each of the B streams; the step replaces their arrays or what is in them
   * @returns `[B, width]`: each row's outputs, one after the other
   */
  async step(
    features: Float32Array<ArrayBuffer>,
    states: readonly HeadState[],
  ): Promise<Float32Array<ArrayBuffer>> {
    if (this.#linear) return this.#linear.step(features);
    const B = features.length / this.featureFloats;
    const { state, outputs } = this.spec;
    const feeds: Record<string, Ort.Tensor> = {
      features: this.#tensor(features, [B, ...this.#featureShape]),
    };
    const fetches: Record<string, Ort.Tensor> = {};
    const parts = outputs.map(({ name, shape }) => {
      const data = this.#buffer(name, B * sizeOf(shape));
      fetches[name] = this.#tensor(data, [B, ...shape]);
      return data;
    });
    const nexts = state.map(({ name, shape }, s) => {
      const size = sizeOf(shape);
      const now = this.#gathered(states, { s, size });
      const next = this.#inPlace.has(name) ? now : this.#buffer(`next.${name}`, B * size);
      feeds[`state.${name}`] = this.#tensor(now, [B, ...shape]);
      fetches[`next.${name}`] = this.#tensor(next, [B, ...shape]);
      return next;
    });
    await runInto(this.#session, { feeds, fetches });
    state.forEach(({ name }, s) => {
      const next = nexts[s]!;
      if (next === states[0]![s]) return;
      if (states.length === 1) { // a large state is exchanged, not copied
        this.#buffers.set(`next.${name}`, states[0]![s]!);
        states[0]![s] = next;
      } else {
        states.forEach((one, b) => one[s]!.set(row(next, b, B)));
      }
    });
    const rows = new Float32Array(B * this.width); // [B, width]
    for (let b = 0; b < B; b++) {
      let at = b * this.width;
      for (const part of parts) {
        const values = row(part, b, B);
        rows.set(values, at);
        at += values.length;
      }
    }
    return rows;
  }

  /** Frees native memory; the head is unusable afterwards. */
  async dispose(): Promise<void> {
    if (!this.#linear) await this.#session.release();
  }

  /** State `s` of all streams, `[B, size]`; one stream's own array where there is only one. */
  #gathered(
    states: readonly HeadState[],
    { s, size }: { s: number; size: number },
  ): Float32Array<ArrayBuffer> {
    if (states.length === 1) return states[0]![s]!;
    const all = this.#buffer(`state ${s}`, states.length * size);
    states.forEach((one, b) => all.set(one[s]!, b * size));
    return all;
  }

  #tensor(data: Float32Array, dims: readonly number[]): Ort.Tensor {
    return new this.#ort.Tensor("float32", data, dims);
  }

  /** A reused buffer; one of another length takes its place. */
  #buffer(name: string, length: number): Float32Array<ArrayBuffer> {
    let buffer = this.#buffers.get(name);
    if (buffer?.length !== length) {
      buffer = new Float32Array(length);
      this.#buffers.set(name, buffer);
    }
    return buffer;
  }

  /** Two steps of two rows, together and each by itself. */
  async #trial(): Promise<void> {
    const next = seeded(1);
    const noise = () => Float32Array.from({ length: this.featureFloats }, () => 2 * next() - 1);
    const together = [this.newState(), this.newState()];
    const alone = [this.newState(), this.newState()];
    for (let step = 0; step < 2; step++) {
      const inputs = [noise(), noise()];
      const both = await this.step(joined(inputs), together);
      for (const [b, features] of inputs.entries()) {
        const one = await this.step(features, [alone[b]!]);
        this.#mustEqual(row(both, b, 2), one, "its rows");
        alone[b]!.forEach((state, s) => this.#mustEqual(together[b]![s]!, state, "its state"));
      }
    }
  }

  /** Computes rows without ONNX Runtime if a trial gives the same numbers. */
  async #tryLinear(linear: LinearHead | undefined): Promise<void> {
    if (!linear) return;
    const next = seeded(2);
    const noise = { length: TIMED_ROWS * this.featureFloats };
    const features = Float32Array.from(noise, () => 2 * next() - 1);
    const rows = await this.step(features, Array.from({ length: TIMED_ROWS }, () => []));
    const own = linear.step(features);
    if (rows.some((x, i) => Math.abs(x - own[i]!) > LINEAR_TOLERANCE * (1 + Math.abs(x)))) return;
    this.#linear = linear;
    await this.#session.release();
  }

  #mustEqual(together: Float32Array, alone: Float32Array, what: string): void {
    for (const [i, x] of alone.entries()) {
      const other = together[i]!;
      if (!Number.isFinite(x) || !Number.isFinite(other)) {
        throw refused(this.name, `${what} are not finite for features between -1 and 1`);
      }
      if (Math.abs(x - other) <= TOLERANCE * (1 + Math.abs(x))) continue;
      throw refused(
        this.name,
        `${what} change with the batch: ${x} for a row by itself, ${other} for the same row ` +
          "beside another; a head must work row by row",
      );
    }
  }

  /** Seconds per row, of {@linkcode TIMED_ROWS} together where the state is small. */
  async #time(): Promise<number> {
    const rows = this.stateFloats > LARGE_STATE_FLOATS ? 1 : TIMED_ROWS;
    const states = Array.from({ length: rows }, () => this.newState());
    let seconds = Infinity;
    for (let i = 0; i < TIMED_STEPS; i++) {
      const started = performance.now();
      await this.step(new Float32Array(rows * this.featureFloats), states);
      seconds = Math.min(seconds, (performance.now() - started) / 1000 / rows);
    }
    return seconds;
  }
}

function joined(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Row b of a `[B, …]` array. */
function row(data: Float32Array<ArrayBuffer>, b: number, B: number): Float32Array<ArrayBuffer> {
  const width = data.length / B;
  return data.subarray(b * width, (b + 1) * width);
}

function refused(head: string, why: string): CpcError {
  return new CpcError("weights_invalid", `the head ${head}: ${why}`);
}
