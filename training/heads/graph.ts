/**
 * A trained head as an ONNX graph. Every product is a matrix times one stream's column, and every
 * other operation works on a stream's own numbers, so that a row is the same in any company.
 *
 * Legend: B streams, W row width, H hidden width, L labels.
 */
import { OnnxBuilder, type Value } from "../../model/engines/onnx_builder.ts";
import type { HeadShape } from "./network.ts";
import type { Scale } from "./windows.ts";

/** Weights by name, each matrix as `[inputs, outputs]`. */
export type HeadWeights = ReadonlyMap<string, Float32Array>;

/** What a head's graph looks like from outside. */
export interface HeadGraphOptions {
  readonly shape: HeadShape;
  readonly scale: Scale;
  /** Frames of a row, and features of a frame: `features [B, 1, every, dims]`. */
  readonly every: number;
  /** Name of the output. */
  readonly output: string;
  /** How many of the labels' probabilities it has, from the first on. */
  readonly given: number;
}

/**
 * `features [B, 1, every, dims]` (and `state.h [B, H]`) → probabilities `[B, given]` (and
 * `next.h [B, H]`).
 */
export function headGraph(
  weights: HeadWeights,
  { shape, scale, every, output, given }: HeadGraphOptions,
): Uint8Array {
  const { type, width, hidden, labels } = shape;
  const b = new OnnxBuilder();
  const of = (name: string): Float32Array => {
    const weight = weights.get(name);
    if (!weight) throw new TypeError(`the head has no weight ${name}`);
    return weight;
  };
  const features = b.input("features", ["B", 1, every, width / every]);
  let x = b.reshape(features, [0, width, 1]); // [B, W, 1]
  const first = (weight: string, bias: string, columns: number) => {
    const folded = unscaled({ weight: of(weight), bias: of(bias) }, { columns, scale });
    return product(b, x, { ...folded, rows: width, columns });
  };
  if (type === "gru") {
    const state = b.reshape(b.input("state.h", ["B", hidden]), [0, hidden, 1]); // [B, H, 1]
    const fromInput = first("gru.weight_ih", "gru.bias", 3 * hidden); // [B, 3H, 1]
    const fromState = product(b, state, { // [B, 3H, 1]
      weight: of("gru.weight_hh"),
      bias: Float32Array.from([...new Float32Array(2 * hidden), ...of("gru.bias_n")]),
      rows: hidden,
      columns: 3 * hidden,
    });
    const [inputRz, inputN] = b.split(fromInput, [2 * hidden, hidden]);
    const [stateRz, stateN] = b.split(fromState, [2 * hidden, hidden]);
    const gates = b.node("Sigmoid", [b.node("Add", [inputRz, stateRz])]);
    const [r, z] = b.split(gates, [hidden, hidden]);
    const n = b.node("Tanh", [b.node("Add", [inputN, b.node("Mul", [r, stateN])])]);
    x = b.node("Add", [n, b.node("Mul", [z, b.node("Sub", [state, n])])]); // [B, H, 1]
    b.output("next.h", b.reshape(x, [0, hidden]), ["B", hidden]);
  } else if (type === "mlp") {
    x = b.node("Relu", [first("hidden.weight", "hidden.bias", hidden)]);
  }
  const logits = type === "linear" ? first("output.weight", "output.bias", labels) : product(b, x, {
    weight: of("output.weight"),
    bias: of("output.bias"),
    rows: hidden,
    columns: labels,
  });
  const probabilities = b.node("Softmax", [b.reshape(logits, [0, labels])], { axis: 1 }); // [B, L]
  const wanted = given < labels ? b.slice(probabilities, { axis: 1, to: given }) : probabilities;
  b.output(output, wanted, ["B", given]);
  return b.encode();
}

/** `weightᵀ · column + bias` for the column `[B, rows, 1]` of each stream: `[B, columns, 1]`. */
function product(
  b: OnnxBuilder,
  column: Value,
  { weight, bias, rows, columns }: {
    weight: Float32Array;
    bias: Float32Array;
    rows: number;
    columns: number;
  },
): Value {
  const turned = new Float32Array(weight.length); // [columns, rows]
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) turned[c * rows + r] = weight[r * columns + c];
  }
  const sums = b.node("MatMul", [b.constant(turned, [columns, rows]), column]);
  return b.node("Add", [sums, b.constant(bias, [columns, 1])]);
}

/** Weights for features as they are, from weights for standardised ones. */
function unscaled(
  { weight, bias }: { weight: Float32Array; bias: Float32Array },
  { columns, scale: { mean, deviation } }: { columns: number; scale: Scale },
): { weight: Float32Array; bias: Float32Array } {
  const shift = Float64Array.from(bias);
  const folded = weight.map((w, i) => {
    const row = Math.floor(i / columns);
    shift[i % columns] -= w * mean[row] / deviation[row];
    return w / deviation[row];
  });
  return { weight: folded, bias: Float32Array.from(shift) };
}
