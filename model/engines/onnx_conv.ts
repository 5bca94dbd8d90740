/**
 * Convolutions as matrix products in ONNX graphs.
 *
 * A layer's input is viewed as blocks of one stride. Each output sees neighbouring blocks, so one
 * product of these windows with the weights computes all outputs of a step. With many rows, a
 * kernel of two strides takes fewer multiplications as a fast FIR filter: see {@linkcode fastFir}.
 *
 * Legend: B streams, n outputs of each in the step, D = stride · inChannels: numbers of a block.
 */
import type { ConvPlan, StreamingPlan } from "../architecture.ts";
import type { FoldedConv } from "../folded.ts";
import type { OnnxBuilder, Value } from "./onnx_builder.ts";

/** The input of a convolution in one step. */
export interface ConvInput {
  /** `[B, tailRows, inChannels]`: the layer's kept rows; undefined if it keeps none. */
  readonly tail?: Value;
  /**
   * The new blocks, `[B, n, D]`; or two phases of them, `[B, n/2, D]`: those at even and at odd
   * places.
   */
  readonly phases: readonly Value[];
}

/** Outputs per hop from which a fast FIR filter pays off: two products of each kind. */
const FAST_ROWS = 4;

/** Whether a convolution can be a fast FIR filter in steps of many rows, and gains from it. */
export function isFast({ blocks, rowsPerHop, inChannels, role }: ConvPlan): boolean {
  return blocks === 2 && rowsPerHop % 2 === 0 && rowsPerHop >= FAST_ROWS && inChannels > 1 &&
    role === "main";
}

/** Whether any convolution of a plan is one for {@linkcode fastFir}. */
export function hasFast({ convs }: StreamingPlan): boolean {
  return convs.some(isFast);
}

/** The tail and the new blocks in one value: `[B, blocks − 1 + n, D]`. */
export function joined(
  b: OnnxBuilder,
  { tail, phases }: ConvInput,
  { blocks, stride, inChannels }: ConvPlan,
): Value {
  const D = stride * inChannels;
  const fresh = b.reshape(inOrder(b, phases, D), [0, -1, D]);
  return tail ? b.node("Concat", [b.reshape(tail, [0, blocks - 1, D]), fresh], { axis: 1 }) : fresh;
}

/** The phases as `[B, n, D]`. */
function inOrder(b: OnnxBuilder, phases: readonly Value[], D: number): Value {
  const [only] = phases;
  if (only !== undefined && phases.length === 1) return only;
  return b.reshape(b.node("Concat", phases, { axis: 2 }), [0, -1, D]);
}

/** Blocks `[B, n, D]` as two phases. */
export function phasesOf(b: OnnxBuilder, blocks: Value, D: number): Value[] {
  const pairs = b.reshape(blocks, [0, -1, 2 * D]); // [B, n/2, 2 · D]
  return [
    b.slice(pairs, { axis: 2, to: D }),
    b.slice(pairs, { axis: 2, from: D }),
  ];
}

/** The rows that a layer keeps for the next step: `[B, tailRows · inChannels]`. */
export function nextTail(b: OnnxBuilder, input: ConvInput, plan: ConvPlan): Value {
  const { blocks, stride, inChannels, rowsPerHop } = plan;
  const kept = blocks - 1;
  const D = stride * inChannels;
  const latest = input.phases.length === 1 && rowsPerHop < kept
    ? joined(b, input, plan)
    : b.reshape(input.phases[input.phases.length - 1] ?? "", [0, -1, D]);
  return b.reshape(b.slice(latest, { axis: 1, from: -kept }), [0, kept * D]);
}

/** The window of each output: `[B, n, blocks · D]`. */
export function windowsOf(b: OnnxBuilder, input: ConvInput, plan: ConvPlan): Value {
  const grid = joined(b, input, plan);
  const { blocks } = plan;
  if (blocks === 1) return grid;
  const shifted = Array.from(
    { length: blocks },
    (_, i) =>
      b.slice(grid, { axis: 1, from: i, to: i === blocks - 1 ? undefined : i - blocks + 1 }),
  );
  return b.node("Concat", shifted, { axis: 2 });
}

/** One product of the windows: `[B · n, outChannels]`. */
export function plainConv(b: OnnxBuilder, input: ConvInput, conv: FoldedConv): Value {
  const { plan, weight, bias } = conv;
  const width = weight.length / plan.outChannels;
  return b.node("Gemm", [
    b.reshape(windowsOf(b, input, plan), [-1, width]),
    b.constant(weight, [width, plan.outChannels]),
    b.constant(bias, [plan.outChannels]),
  ]);
}

/**
 * A kernel of two strides as Winograd's minimal filter F(2, 2): two outputs y₀ = d₀·W₀ + d₁·W₁ and
 * y₁ = d₁·W₀ + d₂·W₁ from the products d₁·(W₀ + W₁), (d₀ − d₁)·W₀ and (d₂ − d₁)·W₁: three instead
 * of four (S. Winograd, Arithmetic Complexity of Computations, 1980).
 *
 * @returns the outputs at even and those at odd places, `[B · n/2, outChannels]` each
 */
export function fastFir(
  b: OnnxBuilder,
  { tail, phases: [even, odd] }: ConvInput,
  { plan, weight, bias }: FoldedConv,
): [Value, Value] {
  if (tail === undefined || even === undefined || odd === undefined) {
    throw new TypeError("a fast FIR filter needs a tail and two phases");
  }
  const { outChannels: O } = plan;
  const D = plan.stride * plan.inChannels;
  const [older, newer] = [weight.subarray(0, D * O), weight.subarray(D * O)];
  // the block before each even one: the tail, then the odd ones but the last
  const before = b.node("Concat", [
    b.reshape(tail, [0, 1, D]),
    b.slice(odd, { axis: 1, to: -1 }),
  ], { axis: 1 });
  const [d0, d1, d2] = [before, even, odd] as const;
  const product = (x: Value, matrix: Float32Array, added: Value) =>
    b.node("Gemm", [b.reshape(x, [-1, D]), b.constant(matrix, [D, O]), added]);
  const sum = older.slice();
  for (let i = 0; i < sum.length; i++) sum[i] += newer[i];
  const both = product(d1, sum, b.constant(bias, [O]));
  return [
    product(b.node("Sub", [d0, d1]), older, both),
    product(b.node("Sub", [d2, d1]), newer, both),
  ];
}

/**
 * The first layer with its activation. Its windows are so small that the mask costs nothing inside
 * the product: a padding window and its 1 for the bias become 0, and ReLU keeps 0.
 *
 * @param options `mask`: `[B, n, 1]`; `next`: the layer after it; `phases`: how many it takes;
 *   `batch`: `[1]`, B
 * @returns the next layer's new blocks
 */
export function firstLayer(
  b: OnnxBuilder,
  input: ConvInput,
  { conv: { plan, weight, bias }, mask, next, phases, batch }: {
    conv: FoldedConv;
    mask: Value;
    next: ConvPlan;
    phases: 1 | 2;
    batch: Value;
  },
): Value[] {
  const { outChannels: O } = plan;
  const width = weight.length / O + 1;
  const matrix = new Float32Array(width * O);
  matrix.set(weight);
  matrix.set(bias, weight.length);
  const masked = b.node("Mul", [windowsOf(b, input, plan), mask]);
  const rows = b.node("Concat", [masked, mask], { axis: 2 }); // [B, n, width]
  const parts = phases === 1 ? [rows] : phasesOf(b, rows, next.stride * width);
  const product = b.constant(matrix, [width, O]);
  const shape = b.node("Concat", [batch, b.ints([-1, next.stride * O])], { axis: 0 });
  return parts.map((part) => {
    const y = b.node("Relu", [b.node("Gemm", [b.reshape(part, [-1, width]), product])]);
    return b.node("Reshape", [y, shape]);
  });
}
