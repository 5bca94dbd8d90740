/** The context network alone in ONNX Runtime: latents that exist already → contexts. */
import type * as Ort from "onnxruntime-node";
import { type ModelLayout, modelLayout } from "../engine.ts";
import type { Weights } from "../weights.ts";
import { OnnxBuilder } from "./onnx_builder.ts";
import { contextNetwork } from "./onnx_context.ts";
import { loadOnnxRuntime, runInto } from "./onnx_runtime.ts";

/** A context network ready to run, on the CPU. */
export class OnnxRecurrence {
  readonly #ort: typeof Ort;
  readonly #session: Ort.InferenceSession;
  readonly #layout: ModelLayout;

  private constructor(ort: typeof Ort, session: Ort.InferenceSession, layout: ModelLayout) {
    this.#ort = ort;
    this.#session = session;
    this.#layout = layout;
  }

  /** Builds its graph and loads it. */
  static async create(weights: Weights): Promise<OnnxRecurrence> {
    const ort = await loadOnnxRuntime();
    const layout = modelLayout(weights.config);
    const session = await ort.InferenceSession.create(recurrenceGraph(weights, layout), {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
    });
    return new OnnxRecurrence(ort, session, layout);
  }

  /**
   * Continues the recurrence of B streams.
   *
   * @param latent `[B, T, Z]`
   * @param state the context network's part of each state; zeros at the start
   * @returns c `[B, T, C]` and the new states
   */
  async run(
    latent: Float32Array,
    state: Float32Array,
  ): Promise<{ context: Float32Array<ArrayBuffer>; state: Float32Array<ArrayBuffer> }> {
    const { contextFloats, dims: { latent: Z, context: C } } = this.#layout;
    const streams = state.length / contextFloats;
    const frames = latent.length / Z / streams;
    const tensor = (data: Float32Array, dims: number[]) =>
      new this.#ort.Tensor("float32", data, dims);
    const context = new Float32Array(streams * frames * C);
    const next = new Float32Array(state.length);
    await runInto(this.#session, {
      feeds: {
        latent: tensor(latent, [streams, frames, Z]),
        state: tensor(state, [streams, contextFloats]),
      },
      fetches: {
        context: tensor(context, [streams, frames, C]),
        state_out: tensor(next, [streams, contextFloats]),
      },
    });
    return { context, state: next };
  }

  /** Frees native memory. */
  async dispose(): Promise<void> {
    await this.#session.release();
  }
}

/** `latent [B, T, Z]`, `state [B, S]` → `context [B, T, C]`, `state_out [B, S]`. */
function recurrenceGraph(weights: Weights, layout: ModelLayout): Uint8Array {
  const { dims, contextFloats, config } = layout;
  const b = new OnnxBuilder();
  const { outputs, states } = contextNetwork(b, weights, {
    layout,
    latent: b.input("latent", ["B", "T", dims.latent]),
    state: b.input("state", ["B", contextFloats]),
  });
  const { layers, output_layer = layers } = config.context;
  b.output("context", outputs[output_layer - 1], ["B", "T", dims.context]);
  b.output("state_out", b.node("Concat", states, { axis: 1 }), ["B", contextFloats]);
  return b.encode();
}
