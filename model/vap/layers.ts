/** The parts that the network repeats, as ONNX nodes over `[B, channels, …]`. */
import type { OnnxBuilder, Value } from "../engines/onnx_builder.ts";
import type { Tensor } from "../safetensors.ts";
import { DOWNSAMPLE, type VapNetwork } from "./network.ts";

const EPSILON = 1e-5;

/** Layers with the weights of a network. */
export class Layers {
  readonly #b: OnnxBuilder;
  readonly #network: VapNetwork;
  readonly #scalars = new Map<number, Value>();

  constructor(b: OnnxBuilder, network: VapNetwork) {
    this.#b = b;
    this.#network = network;
  }

  /** A tensor of the network. */
  tensor(name: string): Tensor {
    const tensor = this.#network.tensors.get(name);
    if (!tensor) throw new TypeError(`the network has no ${name}`);
    return tensor;
  }

  /** One number. */
  scalar(x: number): Value {
    const known = this.#scalars.get(x) ?? this.#b.constant(Float32Array.of(x), []);
    this.#scalars.set(x, known);
    return known;
  }

  /** A vector of numbers that has the shape of one row. */
  vector(data: Float32Array): Value {
    return this.#b.constant(data, [data.length]);
  }

  add(a: Value, b: Value): Value {
    return this.#b.node("Add", [a, b]);
  }

  /** x·Wᵀ for matrices `[out, in]` on top of each other, times a factor each. */
  product(x: Value, parts: readonly { name: string; factor?: number }[]): Value {
    const matrices = parts.map(({ name, factor = 1 }) => {
      const { shape, data } = this.tensor(`${name}.weight`);
      return { shape, data: factor === 1 ? data : data.map((weight) => weight * factor) };
    });
    const [, inputs = 0] = matrices[0]?.shape ?? [];
    const outputs = matrices.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
    const columns = new Float32Array(inputs * outputs); // [in, out]
    let at = 0;
    for (const { shape: [rows = 0], data } of matrices) {
      for (let o = 0; o < rows; o++, at++) {
        for (let i = 0; i < inputs; i++) columns[i * outputs + at] = data[o * inputs + i] ?? 0;
      }
    }
    return this.#b.node("MatMul", [x, this.#b.constant(columns, [inputs, outputs])]);
  }

  /** x·Wᵀ + bias */
  linear(x: Value, name: string): Value {
    return this.add(this.product(x, [{ name }]), this.vector(this.tensor(`${name}.bias`).data));
  }

  /** The convolution whose kernel is as long as its stride: K frames `[…, K · C]` → `[…, C]`. */
  downsample(frames: Value): Value {
    const { shape: [outputs = 0, inputs = 0, kernel = 0], data } = this.tensor(
      `${DOWNSAMPLE}.1.weight`,
    );
    const matrix = new Float32Array(kernel * inputs * outputs); // [K · C, C]
    for (let o = 0; o < outputs; o++) {
      for (let i = 0; i < inputs; i++) {
        for (let k = 0; k < kernel; k++) {
          matrix[(k * inputs + i) * outputs + o] = data[(o * inputs + i) * kernel + k] ?? 0;
        }
      }
    }
    const sums = this.#b.node("MatMul", [
      frames,
      this.#b.constant(matrix, [kernel * inputs, outputs]),
    ]);
    return this.add(sums, this.vector(this.tensor(`${DOWNSAMPLE}.1.bias`).data));
  }

  norm(x: Value, name: string): Value {
    const [gain, shift] = [this.tensor(`${name}.weight`), this.tensor(`${name}.bias`)];
    return this.#b.node("LayerNormalization", [
      x,
      this.vector(gain.data),
      this.vector(shift.data),
    ], { axis: -1, epsilon: { float: EPSILON } });
  }

  /** x·Φ(x), with the exact error function. */
  gelu(x: Value): Value {
    const b = this.#b;
    const erf = b.node("Erf", [b.node("Div", [x, this.scalar(Math.SQRT2)])]);
    return b.node("Mul", [
      b.node("Mul", [x, this.add(erf, this.scalar(1))]),
      this.scalar(0.5),
    ]);
  }

  feedForward(x: Value, at: string): Value {
    const inner = this.product(this.norm(x, `${at}.ln_ffnetwork`), [{
      name: `${at}.ffnetwork.0`,
    }]);
    return this.product(this.gelu(inner), [{ name: `${at}.ffnetwork.3` }]);
  }

  /** `[B, 2, …]` with its channels exchanged. */
  exchanged(x: Value): Value {
    return this.#b.node("Gather", [x, this.#b.ints([1, 0])], { axis: 1 });
  }
}
