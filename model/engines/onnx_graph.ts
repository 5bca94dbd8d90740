/**
 * The model as ONNX graphs, built in memory from the weights.
 *
 * A convolution over a hop is one matrix product. The graph joins its kept tail and its new rows,
 * views them as blocks of one stride, and lays neighbouring blocks side by side. It multiplies rows
 * that are padding by 0 before the next layer sees them.
 */
import type { ConvPlan } from "../architecture.ts";
import type { ModelLayout, Precision } from "../engine.ts";
import { foldConv, type FoldedConv } from "../folded.ts";
import { tensorOf, type Weights } from "../weights.ts";
import { OnnxBuilder, type Value } from "./onnx_builder.ts";
import { int8Product, isWide, silentRows } from "./onnx_int8.ts";

/** Order of an ONNX cell's gates as positions in PyTorch's. */
const GATES = { gru: [1, 0, 2], lstm: [0, 3, 1, 2] } as const; // z r n; i o f g

/**
 * The step: inputs `samples [B, T·hop]`, `state [B, S]`, `mask_i [B, T·rowsPerHop]`; outputs
 * `latent [B, T, Z]`, `context [B, T, C]`, `state_out [B, S]`, and `hidden [B, T, C]` when the
 * output layer is not the last.
 */
export function stepGraph(
  weights: Weights,
  { layout, precision }: { layout: ModelLayout; precision: Precision },
): Uint8Array {
  const b = new OnnxBuilder();
  const { plan, dims, tailFloats, contextFloats, stateFloats } = layout;
  const samples = b.input("samples", ["B", "N"]);
  const state = b.input("state", ["B", stateFloats]);
  const [tails, contextState] = splitState(b, state, { tailFloats, contextFloats });
  const batch = b.node("Shape", [state], { start: 0, end: 1 });
  /** `[B · n, C]` → `[B, n, C]` */
  const unflatten = (rows: Value, channels: number) =>
    b.node("Reshape", [rows, b.node("Concat", [batch, b.ints([-1, channels])], { axis: 0 })]);

  const convs = plan.convs.map((conv) => foldConv(weights, conv));
  const silence = precision === "int8" ? silentRows(convs) : [];
  let x = b.reshape(samples, [0, -1, 1]); // [B, N, 1]
  let skip = x;
  let mask = x;
  const tailsOut: Value[] = [];
  plan.convs.forEach((conv, i) => {
    const buffer = conv.tailRows
      ? b.node("Concat", [b.reshape(tails[i], [0, conv.tailRows, conv.inChannels]), x], { axis: 1 })
      : x;
    if (conv.tailRows) {
      tailsOut.push(
        b.reshape(b.slice(buffer, { axis: 1, from: -conv.tailRows }), [0, tailFloats[i]]),
      );
    }
    // as late as the block's output
    if (conv.role === "first") skip = b.slice(buffer, { axis: 1, to: -conv.tailRows });
    let y = matMulConv(b, buffer, { ...convs[i], silence: silence[i] }); // [B · n, out]
    if (convs[i].channelNorm) y = channelNorm(b, y, convs[i].channelNorm);
    if (conv.role === "second") y = b.node("Add", [y, b.reshape(skip, [-1, conv.outChannels])]);
    mask = b.reshape(b.input(`mask_${i}`, ["B", `n${i}`]), [0, -1, 1]);
    x = b.node("Mul", [unflatten(b.node("Relu", [y]), conv.outChannels), mask]); // [B, n, out]
  });
  b.output("latent", x, ["B", "T", dims.latent]);

  const alive = b.node("Squeeze", [b.slice(mask, { axis: 1, from: -1 }), b.ints([2])]); // [B, 1]
  const { outputs, states } = contextNetwork(b, weights, {
    layout,
    latent: x,
    state: contextState,
  });
  const outputLayer = layout.config.context.output_layer ?? layout.config.context.layers;
  b.output("context", outputs[outputLayer - 1], ["B", "T", dims.context]);
  if (!layout.contextIsHidden) {
    b.output("hidden", outputs[outputs.length - 1], ["B", "T", dims.context]);
  }
  const contextOut = b.node("Mul", [
    states.length > 1 ? b.node("Concat", states, { axis: 1 }) : states[0],
    alive,
  ]);
  b.output("state_out", b.node("Concat", [...tailsOut, contextOut], { axis: 1 }), [
    "B",
    stateFloats,
  ]);
  return b.encode();
}

/** The predictions: `hidden [N, C]` → `prediction [N, K · Z]`. */
export function predictGraph(weights: Weights, layout: ModelLayout): Uint8Array {
  const { latent, context, steps } = layout.dims;
  const columns = steps * latent;
  const weight = new Float32Array(context * columns); // [C, K · Z]
  const bias = new Float32Array(columns);
  for (let k = 0; k < steps; k++) {
    const matrix = tensorOf(weights, `predictors.${k}.weight`).data; // [Z, C]
    for (let z = 0; z < latent; z++) {
      for (let c = 0; c < context; c++) {
        weight[c * columns + k * latent + z] = matrix[z * context + c];
      }
    }
    bias.set(weights.tensors.get(`predictors.${k}.bias`)?.data ?? [], k * latent);
  }
  const b = new OnnxBuilder();
  const inputs = [
    b.input("hidden", ["N", context]),
    b.constant(weight, [context, columns]),
    b.constant(bias, [columns]),
  ];
  b.output("prediction", b.node("Gemm", inputs), ["N", columns]);
  return b.encode();
}

/**
 * The parts of the state: a tail per convolution (`""` when it keeps none) and the context
 * network's.
 */
function splitState(
  b: OnnxBuilder,
  state: Value,
  { tailFloats, contextFloats }: { tailFloats: readonly number[]; contextFloats: number },
): [Value[], Value] {
  const sizes = [...tailFloats.filter((n) => n > 0), contextFloats];
  const parts = b.split(state, sizes);
  let next = 0;
  return [tailFloats.map((n) => n > 0 ? parts[next++] : ""), parts[parts.length - 1]];
}

/**
 * `[B, tail + n · stride, in]` → `[B · n, out]`; in 8 bits when the input's value in silence,
 * `[in]`, is known and 8 bits pay off
 */
function matMulConv(
  b: OnnxBuilder,
  buffer: Value,
  conv: FoldedConv & { silence?: Float32Array },
): Value {
  const { plan, weight, bias, silence } = conv;
  if (silence && isWide(plan)) {
    const sound = b.node("Sub", [buffer, b.constant(silence, [plan.inChannels])]);
    return int8Product(b, windowsOf(b, sound, plan), { ...conv, silence });
  }
  const width = weight.length / plan.outChannels;
  const inputs = [
    windowsOf(b, buffer, plan),
    b.constant(weight, [width, plan.outChannels]),
    b.constant(bias, [plan.outChannels]),
  ];
  return b.node("Gemm", inputs);
}

/**
 * `[B, tail + n · stride, in]` → the window of each output of a convolution,
 * `[B · n, blocks · stride · in]`
 */
function windowsOf(b: OnnxBuilder, buffer: Value, { blocks, stride, inChannels }: ConvPlan): Value {
  const blockWidth = stride * inChannels;
  const grid = b.reshape(buffer, [0, -1, blockWidth]); // [B, blocks − 1 + n, stride · in]
  const windows = blocks === 1 ? grid : b.node(
    "Concat",
    Array.from(
      { length: blocks },
      (_, i) =>
        b.slice(grid, { axis: 1, from: i, to: i === blocks - 1 ? undefined : i - blocks + 1 }),
    ),
    { axis: 2 },
  ); // [B, n, blocks · stride · in]
  return b.reshape(windows, [-1, blocks * blockWidth]);
}

/** CPC_audio's ChannelNorm over the channels of a row, with the unbiased variance. */
function channelNorm(
  b: OnnxBuilder,
  rows: Value,
  { gain, shift }: NonNullable<FoldedConv["channelNorm"]>,
): Value {
  const width = gain.length;
  const scalar = (x: number) => b.constant(Float32Array.of(x), []);
  const centred = b.node("Sub", [rows, b.node("ReduceMean", [rows], { axes: [1] })]);
  const variance = b.node("Div", [
    b.node("ReduceSumSquare", [centred], { axes: [1] }),
    scalar(width - 1),
  ]);
  const deviation = b.node("Sqrt", [b.node("Add", [variance, scalar(1e-5)])]);
  const unit = b.node("Div", [centred, deviation]);
  return b.node("Add", [
    b.node("Mul", [unit, b.constant(gain, [width])]),
    b.constant(shift, [width]),
  ]);
}

/**
 * GRU or LSTM layers: latents `[B, T, Z]` and state `[B, layers · H (· 2)]` → each layer's output
 * `[B, T, H]` and the state's parts `[B, H]`.
 */
function contextNetwork(
  b: OnnxBuilder,
  weights: Weights,
  { layout, latent, state }: { layout: ModelLayout; latent: Value; state: Value },
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
      "", // sequence lengths
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
