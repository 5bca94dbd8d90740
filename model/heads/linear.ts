/**
 * Heads of one product, which are computed without ONNX Runtime: its call alone takes longer than
 * the product.
 */
import type { GraphSummary } from "./read_graph.ts";
import { type HeadSpec, rowWidth } from "./spec.ts";

/** Beyond so many weights a call costs less than the product here. */
const MOST_WEIGHTS = 8192;
/** Operators that leave a row's numbers as they are. */
const LAYOUT = ["Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"];

/** Each changes a row in place. */
const ACTIVATIONS: Readonly<Record<string, (row: Float64Array) => void>> = {
  Relu(row) {
    for (let i = 0; i < row.length; i++) row[i] = Math.max(0, row[i]!);
  },
  Sigmoid(row) {
    for (let i = 0; i < row.length; i++) row[i] = 1 / (1 + Math.exp(-row[i]!));
  },
  Softmax(row) {
    let [most, sum] = [-Infinity, 0];
    for (let i = 0; i < row.length; i++) most = Math.max(most, row[i]!);
    for (let i = 0; i < row.length; i++) sum += row[i] = Math.exp(row[i]! - most);
    for (let i = 0; i < row.length; i++) row[i]! /= sum;
  },
  Tanh(row) {
    for (let i = 0; i < row.length; i++) row[i] = Math.tanh(row[i]!);
  },
};

/** A head of one product: each row by itself, in any company. */
export class LinearHead {
  readonly #weight: Float32Array; // [outputs, inputs]
  readonly #bias: Float64Array; // [outputs]
  readonly #activation?: (row: Float64Array) => void;
  readonly #inputs: number;
  readonly #width: number;
  readonly #row: Float64Array; // [outputs]

  private constructor(
    { weight, bias, activation, width }: {
      weight: Float32Array;
      bias: Float64Array;
      activation?: (row: Float64Array) => void;
      width: number;
    },
  ) {
    this.#weight = weight;
    this.#bias = bias;
    this.#activation = activation;
    this.#inputs = weight.length / bias.length;
    this.#width = width;
    this.#row = new Float64Array(bias.length);
  }

  /**
   * Reads a head as one product, with a bias and an activation after it; undefined where it has
   * something else. What its operators' attributes say is not read: a trial must show that it gives
   * the graph's numbers.
   *
   * @param options `inputs`: numbers of a row's features
   */
  static of(
    { operators, floats }: Pick<GraphSummary, "operators" | "floats">,
    { spec, inputs }: { spec: HeadSpec; inputs: number },
  ): LinearHead | undefined {
    const [output, more] = spec.outputs;
    if (spec.state.length > 0 || !output || more) return undefined;
    let value = "features";
    let weight: Float32Array | undefined;
    let bias: Float64Array | undefined;
    let activation: ((row: Float64Array) => void) | undefined;
    for (const { domain, opType, inputs: taken, outputs: [given = ""] } of operators) {
      if (opType === "Constant" && domain === "") continue;
      if (domain !== "" || !taken.includes(value)) return undefined;
      const others = taken.filter((name) => name !== value).map((name) => floats.get(name));
      const [first, second] = others;
      if ((opType === "MatMul" || opType === "Gemm") && !weight && first) {
        weight = rowsOf(first, { inputs, isLeft: taken[0] !== value });
        if (!weight) return undefined;
        bias = new Float64Array(weight.length / inputs);
        if (second && !addTo(bias, second.data)) return undefined;
      } else if (opType === "Add" && bias && !activation && first && others.length === 1) {
        if (!addTo(bias, first.data)) return undefined;
      } else if (Object.hasOwn(ACTIVATIONS, opType) && bias && !activation) {
        activation = ACTIVATIONS[opType];
      } else if (!(opType === "Slice" && bias) && !LAYOUT.includes(opType)) {
        return undefined;
      }
      value = given;
    }
    const width = rowWidth(spec);
    if (value !== output.name || !weight || !bias || width > bias.length) return undefined;
    return new LinearHead({ weight, bias, activation, width });
  }

  /** The rows of `features` `[B, inputs]`: `[B, width]`. */
  step(features: Float32Array): Float32Array<ArrayBuffer> {
    const [inputs, width, row] = [this.#inputs, this.#width, this.#row];
    const B = features.length / inputs;
    const rows = new Float32Array(B * width);
    for (let b = 0; b < B; b++) {
      for (let o = 0; o < row.length; o++) {
        row[o] = this.#bias[o]! + product(features, b * inputs, this.#weight, o * inputs, inputs);
      }
      this.#activation?.(row);
      for (let o = 0; o < width; o++) rows[b * width + o] = row[o]!;
    }
    return rows;
  }
}

/** Σ x[i] · w[i] of n numbers, in four sums, since each addition waits for the one before. */
function product(x: Float32Array, xAt: number, w: Float32Array, wAt: number, n: number): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 3 < n; i += 4) {
    a += x[xAt + i]! * w[wAt + i]!;
    b += x[xAt + i + 1]! * w[wAt + i + 1]!;
    c += x[xAt + i + 2]! * w[wAt + i + 2]!;
    d += x[xAt + i + 3]! * w[wAt + i + 3]!;
  }
  for (; i < n; i++) a += x[xAt + i]! * w[wAt + i]!;
  return a + b + (c + d);
}

/**
 * A matrix as `[outputs, inputs]`; undefined if it has other inputs, or too many weights.
 *
 * @param options `isLeft`: it is multiplied with a column of features, not a row with it
 */
function rowsOf(
  { shape, data }: { shape: readonly number[]; data: Float32Array },
  { inputs, isLeft }: { inputs: number; isLeft: boolean },
): Float32Array | undefined {
  const [rows, columns] = shape;
  if (shape.length !== 2 || data.length > MOST_WEIGHTS) return undefined;
  if (columns === inputs && (isLeft || rows !== inputs)) return data;
  if (rows !== inputs || columns === undefined || isLeft) return undefined;
  const turned = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) {
    for (let o = 0; o < columns; o++) turned[o * rows + i] = data[i * columns + o]!;
  }
  return turned;
}

/** Adds one number for each output, or the same to all; false if there are others. */
function addTo(bias: Float64Array, data: Float32Array): boolean {
  if (data.length !== 1 && data.length !== bias.length) return false;
  for (let o = 0; o < bias.length; o++) bias[o]! += data[data.length === 1 ? 0 : o]!;
  return true;
}
