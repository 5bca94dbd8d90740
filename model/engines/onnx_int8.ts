/**
 * Convolutions in 8 bits.
 *
 * We quantise each input's deviation from its value in silence. Otherwise channels that are large
 * whatever is heard would leave few of the 255 steps to the channels that carry information. Each
 * block of {@linkcode BLOCK} numbers has a scale of its own. The weights' scales are computed here;
 * ONNX Runtime computes the activations', row by row as they come. So no recordings are needed for
 * calibration, quiet sounds keep their precision, and a row is rounded by its own values alone.
 * (Values that already differ in their last bit may be rounded to the other side: a channel norm
 * over an odd number of channels depends on how many rows are computed at once.)
 */
import type * as Ort from "onnxruntime-node";
import { CpcError } from "../../errors.ts";
import { type ConvPlan, NORM_EPS } from "../architecture.ts";
import type { FoldedConv } from "../folded.ts";
import { OnnxBuilder, type Value } from "./onnx_builder.ts";

/** Inputs that share a scale: the largest block that MatMulNBits takes, and the fastest. */
const BLOCK = 256;
/** Bytes represent whole numbers around this one. */
const ZERO = 128;

/** Whether 8 bits pay off for a convolution: products of fewer inputs are no faster. */
export function isWide({ blocks, stride, inChannels }: ConvPlan): boolean {
  return blocks * stride * inChannels >= BLOCK;
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

/**
 * A convolution over the windows of its outputs, less `silence` `[inChannels]`: `[N, width]` →
 * `[N, outChannels]`.
 */
export function int8Product(
  b: OnnxBuilder,
  rows: Value,
  conv: FoldedConv & { silence: Float32Array },
): Value {
  const { weight, silence, plan: { outChannels, rowsPerHop } } = conv;
  const matrix = { weight, inputs: weight.length / outChannels, outputs: outChannels };
  const y = rowsPerHop % 2 === 0 ? product(b, rows, matrix) : inPairs(b, rows, matrix);
  return b.node("Add", [y, b.constant(withConstant(conv, silence), [outChannels])]);
}

/**
 * Multiplies the largest 8-bit numbers to check this processor's kernels: some processors without
 * VNNI add pairs of such products in 16 bits, where they overflow.
 *
 * @throws {CpcError} `invalid_option` when the result is wrong
 */
export async function checkInt8(
  ort: typeof Ort,
  options: Ort.InferenceSession.SessionOptions,
): Promise<void> {
  const [inputs, outputs, rows] = [2 * BLOCK, 16, 4];
  const weight = Float32Array.from(
    { length: inputs * outputs },
    (_, at) => at % outputs % 2 === 0 ? 1 : -1,
  );
  const b = new OnnxBuilder();
  b.output("y", product(b, b.input("x", ["N", inputs]), { weight, inputs, outputs }), [
    "N",
    outputs,
  ]);
  const session = await ort.InferenceSession.create(b.encode(), options);
  const ones = new ort.Tensor("float32", new Float32Array(rows * inputs).fill(1), [rows, inputs]);
  const { y } = await session.run({ x: ones });
  await session.release();
  const wrong = (y.data as Float32Array).find((sum, at) =>
    Math.abs(sum - inputs * weight[at % outputs]) > 1e-3 * inputs
  );
  if (wrong === undefined) return;
  const message =
    `--precision int8: ONNX Runtime's 8-bit products are wrong on this processor (${wrong} where ±${inputs} is right)`;
  throw new CpcError("invalid_option", `${message}; use --precision fp32`);
}

/** A matrix to multiply with: `weight` `[inputs, outputs]` */
interface Matrix {
  readonly weight: Float32Array;
  readonly inputs: number;
  readonly outputs: number;
}

/** `[N, inputs]` → `[N, outputs]` */
function product(b: OnnxBuilder, rows: Value, { weight, inputs: K, outputs: N }: Matrix): Value {
  const { bytes, scales, blocks } = quantize({ weight, inputs: K, outputs: N });
  return b.nodes("MatMulNBits", [
    rows,
    b.constant(bytes, [N, blocks, BLOCK]),
    b.constant(scales, [N * blocks]),
  ], {
    outputs: 1,
    domain: "com.microsoft",
    // 4: activations in 8 bits too
    attributes: { K, N, bits: 8, block_size: BLOCK, accuracy_level: 4 },
  })[0];
}

/**
 * Multiplies an even number of rows; the last may be zeros. The kernels take rows in pairs, and a
 * single row in another order of additions, which rounds differently. Without this, a row's result
 * would depend on how many others share its step.
 */
function inPairs(b: OnnxBuilder, rows: Value, matrix: Matrix): Value {
  const count = b.node("Shape", [rows], { start: 0, end: 1 });
  const missing = b.node("Mod", [count, b.ints([2])]);
  const zeros = b.node("ConstantOfShape", [
    b.node("Concat", [missing, b.ints([matrix.inputs])], { axis: 0 }),
  ]);
  const y = product(b, b.node("Concat", [rows, zeros], { axis: 0 }), matrix);
  return b.node("Slice", [y, b.ints([0]), count, b.ints([0])]);
}

/**
 * Rounds a matrix to whole numbers −127 … 127 times a scale for each block of each output.
 *
 * @returns `bytes` `[outputs, blocks, BLOCK]`, the last block padded with zeros; `scales`
 *   `[outputs, blocks]`
 */
function quantize(
  { weight, inputs, outputs }: Matrix,
): { bytes: Uint8Array; scales: Float32Array; blocks: number } {
  const blocks = Math.ceil(inputs / BLOCK);
  const bytes = new Uint8Array(outputs * blocks * BLOCK).fill(ZERO);
  const scales = new Float32Array(outputs * blocks);
  for (let o = 0; o < outputs; o++) {
    for (let n = 0; n < blocks; n++) {
      const [from, to] = [n * BLOCK, Math.min((n + 1) * BLOCK, inputs)];
      let largest = 0;
      for (let i = from; i < to; i++) {
        largest = Math.max(largest, Math.abs(weight[i * outputs + o]));
      }
      const scale = largest / 127 || 1;
      scales[o * blocks + n] = scale;
      for (let i = from; i < to; i++) {
        bytes[o * blocks * BLOCK + i] = ZERO + Math.round(weight[i * outputs + o] / scale);
      }
    }
  }
  return { bytes, scales, blocks };
}
