/** The context network as ONNX nodes. */
import type { ModelLayout } from "../engine.ts";
import { tensorOf, type Weights } from "../weights.ts";
import type { OnnxBuilder, Value } from "./onnx_builder.ts";

/** Order of an ONNX cell's gates as positions in PyTorch's. */
const GATES = { gru: [1, 0, 2], lstm: [0, 3, 1, 2] } as const; // z r n; i o f g

/**
 * GRU or LSTM layers: latents `[B, T, Z]` and state `[B, layers · H (· 2)]` → each layer's output
 * `[B, T, H]` and the state's parts `[B, H]`.
 *
 * @param options `frames`: `[B]`, how many frames of each stream to compute; by default all
 */
export function contextNetwork(
  b: OnnxBuilder,
  weights: Weights,
  { layout, latent, state, frames = "" }: {
    layout: ModelLayout;
    latent: Value;
    state: Value;
    frames?: Value;
  },
): { outputs: Value[]; states: Value[] } {
  const { type, layers, hidden } = layout.config.context;
  const parts = type === "lstm" ? 2 : 1;
  const initial = layers * parts === 1
    ? [state]
    : b.split(state, Array(layers * parts).fill(hidden));
  const outputs: Value[] = [];
  const states: Value[] = [];
  let x = b.node("Transpose", [latent], { perm: [1, 0, 2] }); // [T, B, Z]
  for (let n = 0; n < layers; n++) {
    const tensor = (part: string) => tensorOf(weights, `context.${part}_l${n}`);
    const width = tensor("weight_ih").shape[1];
    const rows = GATES[type].length * hidden;
    const inputs = [
      x,
      b.constant(reorder(tensor("weight_ih").data, { gates: GATES[type], size: hidden * width }), [
        1,
        rows,
        width,
      ]),
      b.constant(reorder(tensor("weight_hh").data, { gates: GATES[type], size: hidden * hidden }), [
        1,
        rows,
        hidden,
      ]),
      b.constant(
        Float32Array.from([
          ...reorder(tensor("bias_ih").data, { gates: GATES[type], size: hidden }),
          ...reorder(tensor("bias_hh").data, { gates: GATES[type], size: hidden }),
        ]),
        [1, 2 * rows],
      ),
      frames,
      ...initial.slice(n * parts, (n + 1) * parts).map((part) => b.reshape(part, [1, -1, hidden])),
    ];
    const attributes = {
      hidden_size: hidden,
      ...(type === "gru" ? { linear_before_reset: 1 } : {}),
    };
    const [sequence, ...last] = b.nodes(type.toUpperCase(), inputs, {
      outputs: 1 + parts,
      attributes,
    });
    x = b.reshape(sequence, [0, -1, hidden]); // [T, 1, B, H] → [T, B, H]
    outputs.push(b.node("Transpose", [x], { perm: [1, 0, 2] }));
    states.push(...last.map((part) => b.reshape(part, [-1, hidden])));
  }
  return { outputs, states };
}

/** Rearranges the gates of a PyTorch matrix, `size` values each. */
function reorder(
  data: Float32Array,
  { gates, size }: { gates: readonly number[]; size: number },
): Float32Array {
  const out = new Float32Array(data.length);
  gates.forEach((gate, i) => out.set(data.subarray(gate * size, (gate + 1) * size), i * size));
  return out;
}
