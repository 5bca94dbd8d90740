/**
 * The model as ONNX graphs, built in memory from the weights.
 *
 * A layer multiplies blocks of its kept tail and its new rows (see `onnx_conv.ts`). Rows that are
 * padding become 0 before the next layer sees them.
 */
import type { ModelLayout, Precision } from "../engine.ts";
import type { FoldedConv } from "../folded.ts";
import { tensorOf, type Weights } from "../weights.ts";
import { OnnxBuilder, type Value } from "./onnx_builder.ts";
import { contextNetwork } from "./onnx_context.ts";
import {
  type ConvInput,
  fastFir,
  firstLayer,
  isFast,
  joined,
  nextTail,
  phasesOf,
  plainConv,
} from "./onnx_conv.ts";
import { int8Conv, int8Rows, isWide, silentRows } from "./onnx_int8.ts";

/**
 * Samples nearer to 0 become 0, since processors are many times slower with denormal numbers. Such
 * a sample, 400 dB below full scale, changes no output.
 */
const LEAST_SAMPLE = 1e-20;

/** Input for a step's graph. */
export interface StepGraphOptions {
  readonly layout: ModelLayout;
  readonly precision: Precision;
  /** The plan's convolutions, folded. */
  readonly convs: readonly FoldedConv[];
  /** Fewer multiplications, for steps of many rows; in fp32 only. */
  readonly fast?: boolean;
  /** Takes `frames [B]` (int32), how many frames the context network computes: T, or 0 for none. */
  readonly contextOnRequest?: boolean;
  /** In int8: see `weightRangeOf()`. */
  readonly weightRange?: number;
  /** Only the layers up to this one, to measure them; outputs are what the next layer would get. */
  readonly until?: number;
}

/**
 * The step: inputs `samples [B, T·hop]`, `state [B, S]`, `mask_i [B, T·rowsPerHop]`; outputs
 * `latent [B, T, Z]`, `context [B, T, C]`, `state_out [B, S]`, and `hidden [B, T, C]` when the
 * output layer is not the last.
 */
export function stepGraph(
  weights: Weights,
  {
    layout,
    precision,
    convs,
    fast = false,
    contextOnRequest = false,
    weightRange = 127,
    until = convs.length,
  }: StepGraphOptions,
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
  const silence = precision === "int8" ? silentRows(convs) : [];
  const phasesAt = (i: number) => fast && plan.convs[i] && isFast(plan.convs[i]) ? 2 : 1;

  const sound = b.node("Shrink", [samples], { lambd: { float: LEAST_SAMPLE } });
  let phases = [b.reshape(sound, [0, -1, 1])]; // [B, N, 1]
  let x = sound;
  let skip = x;
  let mask = x;
  const tailsOut: Value[] = [];
  convs.slice(0, until + 1).forEach((conv, i) => {
    const { plan: layer, channelNorm: norm } = conv;
    const { role, inChannels, outChannels, tailRows } = layer;
    const next = plan.convs[i + 1];
    const tail = tailRows ? b.reshape(tails[i] ?? "", [0, tailRows, inChannels]) : undefined;
    const input: ConvInput = { tail, phases };
    if (tail) tailsOut.push(nextTail(b, input, layer));
    if (role === "first") { // as late as the block's output
      const rows = b.reshape(joined(b, input, layer), [0, -1, inChannels]);
      skip = b.slice(rows, { axis: 1, to: -tailRows });
    }
    mask = b.reshape(b.input(`mask_${i}`, ["B", `n${i}`]), [0, -1, 1]);
    if (i === 0 && next && !norm) {
      phases = firstLayer(b, input, { conv, mask, next, phases: phasesAt(1), batch });
      return;
    }
    const still = silence[i];
    const sums = phases.length === 2
      ? fastFir(b, input, conv)
      : still && isWide(layer)
      ? [int8Conv(b, input, { conv, silence: still, batch, weightRange })]
      : [plainConv(b, input, conv)];
    const rows = sums.map((sum) => {
      const y = norm ? channelNorm(b, sum, norm) : sum;
      const z = role === "second" ? b.node("Add", [y, b.reshape(skip, [-1, outChannels])]) : y;
      return b.node("Relu", [z]);
    });
    const inOrder = rows.length > 1 ? b.node("Concat", rows, { axis: 1 }) : rows[0] ?? "";
    x = b.node("Mul", [unflatten(inOrder, outChannels), mask]); // [B, n, out]
    phases = next && phasesAt(i + 1) === 2 ? phasesOf(b, x, next.stride * outChannels) : [x];
  });
  if (until < convs.length) {
    [...phases, ...tailsOut].forEach((value, i) => b.output(`part_${i}`, value, []));
    return b.encode();
  }
  b.output("latent", x, ["B", "T", dims.latent]);

  const alive = b.node("Squeeze", [b.slice(mask, { axis: 1, from: -1 }), b.ints([2])]); // [B, 1]
  const { outputs, states } = contextNetwork(b, weights, {
    layout,
    latent: x,
    state: contextState,
    ...(contextOnRequest && { frames: b.input("frames", ["B"], "int32") }),
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

/**
 * The predictions: `hidden [N, C]` → `prediction [N, K · Z]`.
 *
 * @param options `weightRange`: rounds to 8 bits, see `weightRangeOf()`
 */
export function predictGraph(
  weights: Weights,
  layout: ModelLayout,
  { weightRange }: { weightRange?: number } = {},
): Uint8Array {
  const { latent, context, steps } = layout.dims;
  const columns = steps * latent;
  const weight = new Float32Array(columns * context); // [K · Z, C]
  const bias = new Float32Array(columns);
  for (let k = 0; k < steps; k++) {
    weight.set(tensorOf(weights, `predictors.${k}.weight`).data, k * latent * context); // [Z, C]
    bias.set(weights.tensors.get(`predictors.${k}.bias`)?.data ?? [], k * latent);
  }
  const b = new OnnxBuilder();
  const hidden = b.input("hidden", ["N", context]);
  const prediction = weightRange === undefined
    ? b.node("Gemm", [
      hidden,
      b.constant(weight, [columns, context]),
      b.constant(bias, [columns]),
    ], { transB: 1 })
    : int8Rows(b, hidden, { weight: transposed(weight, context), bias, weightRange });
  b.output("prediction", prediction, ["N", columns]);
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

/** A matrix of rows of `width` numbers, columns outside. */
function transposed(matrix: Float32Array, width: number): Float32Array {
  const rows = matrix.length / width;
  return Float32Array.from(
    matrix,
    (_, i) => matrix[(i % rows) * width + Math.floor(i / rows)],
  );
}
