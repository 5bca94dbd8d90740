/** Runs a head over recordings, a row at a time and several recordings side by side. */
import type * as Ort from "onnxruntime-node";
import { loadOnnxRuntime } from "../../model/engines/onnx_runtime.ts";
import type { HeadSpec } from "../../model/heads/spec.ts";
import { sizeOf } from "../../model/heads/spec.ts";

/** Recordings side by side. */
const AT_ONCE = 32;

/** A head that is loaded. */
export class HeadHearing {
  readonly #ort: typeof Ort;
  readonly #session: Ort.InferenceSession;
  readonly spec: HeadSpec;

  private constructor(ort: typeof Ort, session: Ort.InferenceSession, spec: HeadSpec) {
    this.#ort = ort;
    this.#session = session;
    this.spec = spec;
  }

  /** Loads a graph. */
  static async create(graph: Uint8Array, spec: HeadSpec): Promise<HeadHearing> {
    const ort = await loadOnnxRuntime();
    const session = await ort.InferenceSession.create(graph.slice(), { // it takes no shared memory
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
    });
    return new HeadHearing(ort, session, spec);
  }

  /**
   * The first output of every row.
   *
   * @param recordings features `[R, every · dims]` each
   * @param width of a row: every · dims
   * @returns `[R, numbers of the output]` each, in the order of the recordings
   */
  async hear(recordings: readonly Float32Array[], width: number): Promise<Float32Array[]> {
    const { outputs: [{ shape }] } = this.spec;
    const size = sizeOf(shape);
    const scores = recordings.map((data) => new Float32Array(data.length / width * size));
    // those of about one length together
    const order = [...recordings.keys()].sort((a, b) =>
      recordings[b].length - recordings[a].length
    );
    for (let at = 0; at < order.length; at += AT_ONCE) {
      await this.#hearSome(order.slice(at, at + AT_ONCE), { recordings, scores, width, size });
    }
    return scores;
  }

  async #hearSome(
    indices: readonly number[],
    { recordings, scores, width, size }: {
      recordings: readonly Float32Array[];
      scores: readonly Float32Array[];
      width: number;
      size: number;
    },
  ): Promise<void> {
    const { state, outputs: [{ name, shape }], every } = this.spec;
    const tensor = (data: Float32Array, dims: readonly number[]) =>
      new this.#ort.Tensor("float32", data, dims);
    const states = new Map(
      state.map(({ name, shape }) => [name, new Float32Array(indices.length * sizeOf(shape))]),
    );
    for (let row = 0;; row++) {
      // the longest come first, so those that go on are the first
      const active = indices.filter((i) => (row + 1) * width <= recordings[i].length);
      const B = active.length;
      if (B === 0) return;
      const features = new Float32Array(B * width);
      active.forEach((i, b) =>
        features.set(recordings[i].subarray(row * width, (row + 1) * width), b * width)
      );
      const feeds: Record<string, Ort.Tensor> = {
        features: tensor(features, [B, 1, every, width / every]),
      };
      for (const { name, shape } of state) {
        const data = states.get(name)!.subarray(0, B * sizeOf(shape));
        feeds[`state.${name}`] = tensor(data, [B, ...shape]);
      }
      const out = await this.#session.run(feeds);
      const given = out[name].data as Float32Array; // [B, …shape]
      active.forEach((i, b) =>
        scores[i].set(given.subarray(b * sizeOf(shape), (b + 1) * sizeOf(shape)), row * size)
      );
      for (const { name } of state) {
        states.get(name)!.set(out[`next.${name}`].data as Float32Array);
      }
    }
  }

  /** Frees native memory. */
  async dispose(): Promise<void> {
    await this.#session.release();
  }
}
