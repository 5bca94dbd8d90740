/**
 * Heads in TensorFlow.js: linear, one hidden layer (MLP), or a GRU and a linear layer after it.
 *
 * Legend: B windows, T rows, W row width (every · dims), H hidden width, L labels.
 */
import type * as core from "@tensorflow/tfjs-core";
import { hashOf, normal, seeded } from "../../model/seeded.ts";
import {
  relu,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  type Tf,
} from "../../model/tfjs/layers.ts";
import { gru } from "../../model/tfjs/recurrent.ts";

/** The kinds of heads. */
export const HEAD_TYPES = ["linear", "mlp", "gru"] as const;
/** One of {@linkcode HEAD_TYPES}. */
export type HeadType = typeof HEAD_TYPES[number];

/** Sizes of a head. */
export interface HeadShape {
  readonly type: HeadType;
  /** W */
  readonly width: number;
  /** H; a linear head has none. */
  readonly hidden: number;
  /** L */
  readonly labels: number;
}

/**
 * Shape of every weight, each matrix as `[inputs, outputs]`; a GRU's gates in the order r, z, n.
 */
export function headTensorShapes(
  { type, width, hidden, labels }: HeadShape,
): Map<string, number[]> {
  const last = type === "linear" ? width : hidden;
  const before: [string, number[]][] = {
    linear: [],
    mlp: [["hidden.weight", [width, hidden]], ["hidden.bias", [hidden]]],
    gru: [
      ["gru.weight_ih", [width, 3 * hidden]],
      ["gru.weight_hh", [hidden, 3 * hidden]],
      ["gru.bias", [3 * hidden]],
      ["gru.bias_n", [hidden]],
    ],
  }[type] as [string, number[]][];
  return new Map([...before, ["output.weight", [last, labels]], ["output.bias", [labels]]]);
}

/** A head's weights as variables. */
export class HeadNetwork {
  readonly shape: HeadShape;
  readonly variables: ReadonlyMap<string, core.Variable>;
  readonly #tf: Tf;

  /** @param seed of the initial weights */
  constructor(tf: Tf, shape: HeadShape, seed: number) {
    this.#tf = tf;
    this.shape = shape;
    this.variables = new Map(
      [...headTensorShapes(shape)].map(([name, sizes]) => {
        const [rows, columns] = sizes;
        const random = seeded(hashOf(seed, "head", name));
        const draw = columns === undefined
          ? () => 0
          : () => normal(random) * Math.sqrt(2 / (rows + columns)); // Glorot and Bengio 2010
        const data = Float32Array.from({ length: rows * (columns ?? 1) }, draw);
        return [name, tf.tidy(() => tf.variable(tf.tensor(data, sizes)))];
      }),
    );
  }

  /**
   * Scores before the softmax.
   *
   * @param x `[T, B, W]`, standardised; a GRU begins with zeros
   * @returns `[T · B, L]`
   */
  logits(x: Tensor3D): Tensor2D {
    const tf = this.#tf;
    const { type, width, hidden } = this.shape;
    const [frames, windows] = x.shape;
    const rows = tf.reshape(x, [frames * windows, width]) as Tensor2D;
    return tf.add(
      tf.matMul(this.#before(type, { x, rows, hidden }), this.#matrix("output.weight")),
      this.#vector("output.bias"),
    );
  }

  #before(
    type: HeadType,
    { x, rows, hidden }: { x: Tensor3D; rows: Tensor2D; hidden: number },
  ): Tensor2D {
    const tf = this.#tf;
    if (type === "linear") return rows;
    if (type === "mlp") {
      const sums = tf.add(
        tf.matMul(rows, this.#matrix("hidden.weight")),
        this.#vector("hidden.bias"),
      );
      return relu(tf, sums as Tensor2D);
    }
    const { output } = gru(tf, x, {
      weights: {
        weightIh: this.#matrix("gru.weight_ih"),
        weightHh: this.#matrix("gru.weight_hh"),
        bias: this.#vector("gru.bias"),
        biasN: this.#vector("gru.bias_n"),
      },
      hidden: tf.zeros([x.shape[1], hidden]) as Tensor2D,
    });
    return tf.reshape(output, [rows.shape[0], hidden]) as Tensor2D;
  }

  #matrix(name: string): Tensor2D {
    return this.#variable(name) as core.Tensor as Tensor2D;
  }

  #vector(name: string): Tensor1D {
    return this.#variable(name) as core.Tensor as Tensor1D;
  }

  #variable(name: string): core.Variable {
    const variable = this.variables.get(name);
    if (!variable) throw new TypeError(`the head has no variable ${name}`);
    return variable;
  }

  /** A copy of all weights. */
  weights(): Map<string, Float32Array> {
    return new Map(
      [...this.variables].map(([name, variable]) => [name, variable.dataSync<"float32">().slice()]),
    );
  }

  /** Frees the variables. */
  dispose(): void {
    for (const variable of this.variables.values()) variable.dispose();
  }
}
