/**
 * Attention over a ring of the newest N rows, with linear biases by age (ALiBi: O. Press et al.,
 * 2022, arXiv:2108.12409), as ONNX nodes.
 *
 * Legend: d = D / H, the width of a head.
 */
import type { OnnxBuilder, Value } from "../engines/onnx_builder.ts";
import { DATA_TYPES } from "../engines/onnx_proto.ts";
import type { Layers } from "./layers.ts";
import type { VapSizes } from "./network.ts";
import { POSITION, ringsOf } from "./state.ts";

/** Added to the score of a place without a row, so that its weight becomes 0. */
const NOTHING_THERE = -1e9;

/** The ring as a row finds it. */
export interface Window {
  /** N */
  readonly rows: number;
  /** `[B, 1]`, the row's own place */
  readonly slot: Value;
  /** `[B, N]`, rows since each place was written: 0 for the row's own */
  readonly age: Value;
  /** `[B, N]`, {@linkcode NOTHING_THERE} where no row is yet, else 0 */
  readonly mask: Value;
}

/** Reads the place in the ring and moves it on. */
export function windowOf(b: OnnxBuilder, rows: number): Window {
  const scalar = (x: number) => b.constant(Float32Array.of(x), []);
  const zero = scalar(0);
  const ring = scalar(rows);
  const position = b.input(`state.${POSITION}`, ["B", 1]);
  const full = b.node("GreaterOrEqual", [position, ring]); // [B, 1]
  const slot = b.node("Where", [full, b.node("Sub", [position, ring]), position]);
  const places = b.constant(Float32Array.from({ length: rows }, (_, i) => i), [1, rows]);
  const ahead = b.node("Greater", [places, slot]); // [B, N]
  const since = b.node("Sub", [slot, places]);
  const age = b.node("Add", [since, b.node("Where", [ahead, ring, zero])]);
  const mask = b.node("Where", [
    ahead,
    b.node("Where", [full, zero, scalar(NOTHING_THERE)]),
    zero,
  ]);
  b.outputNode(`next.${POSITION}`, "Where", {
    input: [
      b.node("Less", [position, scalar(2 * rows - 1)]),
      b.node("Add", [position, scalar(1)]),
      ring,
    ],
    shape: ["B", 1],
  });
  return { rows, slot, age, mask };
}

/** Attentions that share a window. */
export class Attention {
  readonly #b: OnnxBuilder;
  readonly #layers: Layers;
  readonly #sizes: VapSizes;
  readonly #window: Window;
  readonly #places: Value;
  readonly #biases = new Map<string, Value>();

  constructor(
    b: OnnxBuilder,
    { layers, sizes, window }: { layers: Layers; sizes: VapSizes; window: Window },
  ) {
    this.#b = b;
    this.#layers = layers;
    this.#sizes = sizes;
    this.#window = window;
    const { channels, heads, width } = sizes;
    const shape = [1, channels * heads, 1, width / heads];
    const slot = b.node("Cast", [window.slot], { to: DATA_TYPES.int64 });
    this.#places = b.node("Add", [ // [B, channels · H, 1, d]
      b.reshape(slot, [0, 1, 1, 1]),
      b.constant(new BigInt64Array(channels * width), shape),
    ]);
  }

  /**
   * Each channel attends to itself: rows `[B, channels, D]` → `[B, channels, D]`.
   *
   * @param options `name`: its rings'; `at`: the prefix of its weights
   */
  self(rows: Value, { name, at }: { name: string; at: string }): Value {
    const all = this.#layers.product(rows, [this.#query(at), ...this.#keyAndValue(at)]);
    return this.#attend(this.#split(all, 3), { name, at });
  }

  /** The same, to the rows of `source` `[B, channels, D]`. */
  cross(rows: Value, { source, name, at }: { source: Value; name: string; at: string }): Value {
    const query = this.#layers.product(rows, [this.#query(at)]);
    const others = this.#layers.product(source, this.#keyAndValue(at));
    return this.#attend([query, ...this.#split(others, 2)], { name, at });
  }

  /** The scores' scale is that of the whole width, not of a head's. */
  #query(at: string) {
    return { name: `${at}.query`, factor: 1 / Math.sqrt(this.#sizes.width) };
  }

  #keyAndValue(at: string) {
    return [{ name: `${at}.key` }, { name: `${at}.value` }];
  }

  #split(x: Value, outputs: number): Value[] {
    const sizes = this.#b.ints(Array(outputs).fill(this.#sizes.width));
    return this.#b.nodes("Split", [x, sizes], { outputs, attributes: { axis: 2 } });
  }

  #attend(
    [query = "", key = "", value = ""]: readonly Value[],
    { name, at }: { name: string; at: string },
  ): Value {
    const b = this.#b;
    const { channels, heads, width } = this.#sizes;
    const towers = channels * heads;
    const { rows } = this.#window;
    const { keys, values } = ringsOf(name);
    const q = b.reshape(query, [0, towers, width / heads, 1]);
    const scores = b.node("MatMul", [this.#remember(keys, key), q]); // [B, towers, N, 1]
    const biased = b.node("Add", [b.reshape(scores, [0, channels, heads, rows]), this.#bias(at)]);
    const weights = b.reshape(b.node("Softmax", [biased], { axis: -1 }), [0, towers, 1, rows]);
    const sums = b.node("MatMul", [weights, this.#remember(values, value)]); // [B, towers, 1, d]
    return this.#layers.product(b.reshape(sums, [0, channels, width]), [{ name: `${at}.proj` }]);
  }

  /**
   * Writes `[B, channels, D]` over the oldest row of a ring; gives the ring `[B, towers, N, d]`.
   */
  #remember(name: string, row: Value): Value {
    const { channels, heads, width } = this.#sizes;
    const towers = channels * heads;
    const shape = ["B", towers, this.#window.rows, width / heads];
    const fresh = this.#b.reshape(row, [0, towers, 1, width / heads]);
    return this.#b.outputNode(`next.${name}`, "ScatterElements", {
      input: [this.#b.input(`state.${name}`, shape), this.#places, fresh],
      shape,
      attributes: { axis: 2 },
    });
  }

  /** What is added to the scores, `[B, 1, H, N]`; equal slopes are computed once. */
  #bias(at: string): Value {
    const b = this.#b;
    const { rows, age, mask } = this.#window;
    const { data: slopes } = this.#layers.tensor(`${at}.m`);
    const known = this.#biases.get(slopes.join());
    if (known) return known;
    const falling = b.constant(slopes.map((slope) => -slope), [1, 1, slopes.length, 1]);
    const bias = b.node("Add", [
      b.node("Mul", [b.reshape(age, [0, 1, 1, rows]), falling]),
      b.reshape(mask, [0, 1, 1, rows]),
    ]);
    this.#biases.set(slopes.join(), bias);
    return bias;
  }
}
