/**
 * Convolutions, and predictors, in 8 bits.
 *
 * We quantise each input's deviation from its value in silence. Otherwise channels that are large
 * whatever is heard would leave few of the 255 steps to the channels that carry information. Each
 * block of one stride has its own scale and zero, from its least and greatest value, as it comes.
 * The weights have a scale for each output and block. So no recordings are needed for calibration,
 * quiet sounds keep their precision, and a block is rounded by its own values alone. (Values that
 * already differ in their last bit may be rounded to the other side: a channel norm over an odd
 * number of channels depends on how many rows are computed at once.)
 *
 * With bytes q, a block is s·q + l (s: scale, l: what byte 0 stands for). Its product with weights
 * W is s·(q·W) + l·ΣW, of which q·W is a sum of whole numbers and thus exact in any order.
 */
import type * as Ort from "onnxruntime-node";
import { CpcError } from "../../errors.ts";
import { type ConvPlan, NORM_EPS } from "../architecture.ts";
import type { FoldedConv } from "../folded.ts";
import type { Dims } from "../weights.ts";
import { OnnxBuilder, type Value } from "./onnx_builder.ts";
import { type ConvInput, joined } from "./onnx_conv.ts";

/** Inputs of a product from which 8 bits pay off. */
const WIDE = 256;
/** Least range of a block, so that its scale is never 0. */
const LEAST_RANGE = 1e-20;
/** ONNX's number of the type. */
const UINT8 = 2;
/** Outputs per hop from which the tail is rounded separately, to avoid a copy of the new blocks. */
const MANY_ROWS = 8;
/**
 * Largest magnitudes to which weights are rounded. Without VNNI, ONNX Runtime's kernels for x86 add
 * pairs of products in 16 bits, which hold at most 255 · (63 + 63).
 */
const WEIGHT_RANGES = [127, 63] as const;

/** Whether 8 bits pay off for a convolution: products of fewer inputs are no faster. */
export function isWide({ blocks, stride, inChannels }: ConvPlan): boolean {
  return blocks * stride * inChannels >= WIDE;
}

/** Whether 8 bits pay off for the predictors. */
export function isWideContext({ steps, context }: Dims): boolean {
  return steps > 0 && context >= WIDE;
}

/** Each convolution's input after a long silence, `[inChannels]` each. */
export function silentRows(convs: readonly FoldedConv[]): Float32Array[] {
  const rows: Float32Array[] = [];
  let row = new Float32Array(1);
  let skip = row;
  for (const { plan, weight, bias, channelNorm } of convs) {
    rows.push(row);
    if (plan.role === "first") skip = row;
    const y = Float64Array.from(withConstant({ weight, bias }, row));
    if (channelNorm) {
      const mean = y.reduce((sum, x) => sum + x, 0) / y.length;
      const variance = y.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (y.length - 1);
      const { gain, shift } = channelNorm;
      y.forEach((x, c) => y[c] = (x - mean) / Math.sqrt(variance + NORM_EPS) * gain[c] + shift[c]);
    }
    if (plan.role === "second") y.forEach((x, c) => y[c] = x + skip[c]);
    row = Float32Array.from(y, (x) => Math.max(0, x));
  }
  return rows;
}

/**
 * Bias of a convolution whose input comes less a constant row `[inChannels]`: its output for that
 * row alone.
 */
function withConstant(
  { weight, bias }: { weight: Float32Array; bias: Float32Array },
  row: Float32Array,
): Float32Array {
  const sums = Float64Array.from(bias);
  const outputs = bias.length;
  for (let r = 0; r < weight.length / outputs; r++) {
    const x = row[r % row.length];
    if (x !== 0) { for (let o = 0; o < outputs; o++) sums[o] += x * weight[r * outputs + o]; }
  }
  return Float32Array.from(sums);
}

/** Blocks of a stride, rounded to bytes. */
interface Rounded {
  /** `[B · blocks, D]` */
  readonly bytes: Value;
  /** `[B · blocks, 1]`: the value of one step. */
  readonly scale: Value;
  /** `[B · blocks, 1]`: the value of byte 0. */
  readonly lowest: Value;
}

/** Rounds blocks `[B · blocks, D]`. */
function rounded(b: OnnxBuilder, blocks: Value): Rounded {
  const greatest = b.node("ReduceMax", [blocks], { axes: [1], keepdims: 0 });
  const least = b.node("ReduceMin", [blocks], { axes: [1], keepdims: 0 });
  // 0 is always between the two
  const from = b.node("Min", [least, scalar(b, -LEAST_RANGE)]);
  const range = b.node("Sub", [b.node("Relu", [greatest]), from]);
  const scale = b.node("Mul", [range, scalar(b, 1 / 255)]);
  const lowest = b.node("Round", [b.node("Div", [from, scale])]); // −255 … 0
  const zero = b.node("Cast", [b.node("Abs", [lowest])], { to: UINT8 });
  return {
    bytes: b.node("QuantizeLinear", [blocks, scale, zero], { axis: 0 }),
    scale: b.reshape(scale, [-1, 1]),
    lowest: b.reshape(b.node("Mul", [lowest, scale]), [-1, 1]),
  };
}

/**
 * A convolution with 8-bit weights and activations, and 32-bit sums: `[B · n, outChannels]`.
 *
 * @param options `silence`: `[inChannels]`, its input in silence; `batch`: `[1]`, B; `weightRange`:
 *   see {@linkcode weightRangeOf}
 */
export function int8Conv(
  b: OnnxBuilder,
  input: ConvInput,
  { conv, silence, batch, weightRange }: {
    readonly conv: FoldedConv;
    readonly silence: Float32Array;
    readonly batch: Value;
    readonly weightRange: number;
  },
): Value {
  const { weight, plan } = conv;
  const { outChannels: O, blocks, stride, inChannels, rowsPerHop } = plan;
  const D = stride * inChannels;
  const still = b.constant(repeated(silence, stride), [D]);
  const { tail, phases } = input;
  const apart = tail && rowsPerHop >= MANY_ROWS ? [tail, ...phases] : [joined(b, input, plan)];
  const parts = apart.map((part) => rounded(b, b.node("Sub", [b.reshape(part, [-1, D]), still])));
  /** Of the blocks that the outputs see, the i-th of each: `[B · n, width]` */
  const seen = (what: keyof Rounded, { i, width }: { i: number; width: number }): Value => {
    const values = parts.map((part) => part[what]);
    const newest = values[values.length - 1];
    if (blocks === 1 || (values.length > 1 && i === blocks - 1)) return newest;
    const shape = b.node("Concat", [batch, b.ints([-1, width])], { axis: 0 });
    const perStream = values.map((value) => b.node("Reshape", [value, shape]));
    const all = perStream.length > 1 ? b.node("Concat", perStream, { axis: 1 }) : perStream[0];
    const to = i === blocks - 1 ? undefined : i - blocks + 1;
    return b.reshape(b.slice(all, { axis: 1, from: i, to }), [-1, width]);
  };
  let y = b.constant(withConstant(conv, silence), [O]);
  for (let i = 0; i < blocks; i++) {
    const matrix = quantized(weight.subarray(i * D * O, (i + 1) * D * O), {
      outputs: O,
      weightRange,
    });
    const scaled = b.node("Mul", [
      bytesProduct(b, seen("bytes", { i, width: D }), matrix),
      seen("scale", { i, width: 1 }),
    ]);
    const lowest = seen("lowest", { i, width: 1 });
    y = b.node("Add", [b.node("Gemm", [lowest, b.constant(matrix.sums, [1, O]), scaled]), y]);
  }
  return y;
}

/**
 * Rows `[N, I]` times a matrix `[I, O]` with 8-bit weights, each row rounded by its own values,
 * plus a bias `[O]`: `[N, O]`.
 */
export function int8Rows(
  b: OnnxBuilder,
  rows: Value,
  { weight, bias, weightRange }: {
    readonly weight: Float32Array;
    readonly bias: Float32Array;
    readonly weightRange: number;
  },
): Value {
  const outputs = bias.length;
  const matrix = quantized(weight, { outputs, weightRange });
  const { bytes, scale, lowest } = rounded(b, rows);
  const scaled = b.node("Mul", [bytesProduct(b, bytes, matrix), scale]);
  const y = b.node("Gemm", [lowest, b.constant(matrix.sums, [1, outputs]), scaled]);
  return bias.some((x) => x !== 0) ? b.node("Add", [y, b.constant(bias, [outputs])]) : y;
}

/**
 * The range −n … n of whole numbers to round weights to, so that sums of the largest products are
 * right in this processor's kernels.
 *
 * @throws {CpcError} `invalid_option` if they are wrong in every range
 */
export async function weightRangeOf(
  ort: typeof Ort,
  options: Ort.InferenceSession.SessionOptions,
): Promise<number> {
  const [inputs, outputs, rows] = [512, 16, 4];
  let [wrong, right] = [NaN, NaN];
  for (const range of WEIGHT_RANGES) {
    const bytes = Int8Array.from({ length: inputs * outputs }, (_, i) => i % 2 ? range : -range);
    const matrix = { bytes, scales: new Float32Array(outputs).fill(1) };
    const b = new OnnxBuilder();
    const x = b.node("Cast", [b.input("x", ["N", inputs])], { to: UINT8 });
    b.output("y", bytesProduct(b, x, matrix), ["N", outputs]);
    const session = await ort.InferenceSession.create(b.encode(), options);
    const largest = new Float32Array(rows * inputs).fill(255);
    const { y } = await session.run({ x: new ort.Tensor("float32", largest, [rows, inputs]) });
    await session.release();
    right = 255 * range * inputs;
    const found = (y.data as Float32Array).find((sum, i) => sum !== (i % 2 ? right : -right));
    if (found === undefined) return range;
    wrong = found;
  }
  const message =
    `--precision int8: ONNX Runtime's 8-bit products are wrong on this processor (${wrong} ` +
    `where ±${right} is right)`;
  throw new CpcError("invalid_option", `${message}; use --precision fp32`);
}

/** A note on the cost of a narrower range of weights; undefined for the full range. */
export function weightRangeWarning(range: number): string | undefined {
  if (range === WEIGHT_RANGES[0]) return undefined;
  return "this processor's 8-bit kernels overflow (no VNNI): --precision int8 rounds weights to " +
    "7 bits, so features are up to 2.7 % off instead of 1.6 %; `deno task doctor` compares its " +
    "speed to fp32's";
}

function scalar(b: OnnxBuilder, x: number): Value {
  return b.constant(Float32Array.of(x), []);
}

function repeated(row: Float32Array, times: number): Float32Array {
  const out = new Float32Array(times * row.length);
  for (let i = 0; i < times; i++) out.set(row, i * row.length);
  return out;
}

/** A matrix of whole numbers, with a scale for each output. */
interface QuantizedMatrix {
  /** `[inputs, outputs]` */
  readonly bytes: Int8Array;
  /** `[outputs]` */
  readonly scales: Float32Array;
}

/** Bytes `[N, inputs]` times a matrix: `[N, outputs]`. */
function bytesProduct(b: OnnxBuilder, rows: Value, { bytes, scales }: QuantizedMatrix): Value {
  const outputs = scales.length;
  const inputs = [
    rows,
    b.constant(bytes, [bytes.length / outputs, outputs]),
    scalar(b, 1),
    b.constant(scales, [outputs]),
  ];
  return b.nodes("MatMulIntegerToFloat", inputs, { outputs: 1, domain: "com.microsoft" })[0];
}

/**
 * Rounds a matrix `[inputs, outputs]` to −range … range times a scale for each output.
 *
 * @returns the matrix, and the `sums` of each output's rounded weights, `[outputs]`
 */
function quantized(
  weight: Float32Array,
  { outputs, weightRange }: { outputs: number; weightRange: number },
): QuantizedMatrix & { readonly sums: Float32Array } {
  const bytes = new Int8Array(weight.length);
  const scales = new Float32Array(outputs);
  const sums = new Float32Array(outputs);
  for (let i = 0, o = 0; i < weight.length; i++, o = o + 1 === outputs ? 0 : o + 1) {
    scales[o] = Math.max(scales[o], Math.abs(weight[i]));
  }
  for (let o = 0; o < outputs; o++) scales[o] = scales[o] / weightRange || 1;
  for (let i = 0, o = 0; i < weight.length; i++, o = o + 1 === outputs ? 0 : o + 1) {
    const whole = Math.round(weight[i] / scales[o]);
    bytes[i] = whole;
    sums[o] += whole;
  }
  for (let o = 0; o < outputs; o++) sums[o] *= scales[o];
  return { bytes, scales, sums };
}
