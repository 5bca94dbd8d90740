/** A small writer of ONNX graphs (https://onnx.ai/onnx/operators, opset 17). */
import {
  type Attribute,
  DATA_TYPES,
  encodeModel,
  type NodeMessage,
  type TensorMessage,
  type ValueMessage,
} from "./onnx_proto.ts";

const OPSETS = { "": 17, "com.microsoft": 1 };

/**
 * Most outputs of a Split: WebGPU guarantees a shader only 8 buffers, and one of them is the input.
 */
const MAX_SPLIT = 7;

/** A value of the graph, by name. */
export type Value = string & { readonly __brand?: "onnx value" };

/** Arrays that a constant may hold. */
export type Constant = Float32Array | Uint8Array | Int8Array | Int32Array | BigInt64Array;

/** Collects nodes, constants, inputs and outputs, and encodes them as an ONNX model. */
export class OnnxBuilder {
  readonly #nodes: NodeMessage[] = [];
  readonly #constants: TensorMessage[] = [];
  readonly #inputs: ValueMessage[] = [];
  readonly #outputs: ValueMessage[] = [];
  readonly #shapes = new Map<string, Value>();
  #count = 0;

  /** Declares an input, of floats by default; a name in the shape is a dynamic size. */
  input(
    name: string,
    shape: readonly (number | string)[],
    type: "float" | "int32" = "float",
  ): Value {
    this.#inputs.push({ name, shape, dataType: DATA_TYPES[type] });
    return name;
  }

  /** Declares a value as a float output under the given name. */
  output(name: string, value: Value, shape: readonly (number | string)[]): void {
    this.#nodes.push({ opType: "Identity", input: [value], output: [name] });
    this.#outputs.push({ name, shape });
  }

  /**
   * Adds a node whose output is a float output of the graph. Without the copy of an `Identity`, a
   * node that can write over its input does so when both are the same memory.
   */
  outputNode(
    name: string,
    opType: string,
    { input, shape, attributes = {} }: {
      input: readonly Value[];
      shape: readonly (number | string)[];
      attributes?: Record<string, Attribute>;
    },
  ): Value {
    this.#nodes.push({ opType, input, output: [name], attributes });
    this.#outputs.push({ name, shape });
    return name;
  }

  /** A constant with the array's type. */
  constant(data: Constant, shape: readonly number[]): Value {
    const name = this.#name("w");
    this.#constants.push({
      name,
      dataType: typeOf(data),
      dims: [...shape],
      rawData: bytesOf(data),
    });
    return name;
  }

  /**
   * A vector of integers, as Reshape, Slice and Split take them; equal vectors are one constant.
   */
  ints(values: readonly number[]): Value {
    const key = values.join();
    let name = this.#shapes.get(key);
    if (!name) {
      name = this.#name("i");
      this.#constants.push({
        name,
        dataType: DATA_TYPES.int64,
        dims: [values.length],
        rawData: bytesOf(BigInt64Array.from(values, BigInt)),
      });
      this.#shapes.set(key, name);
    }
    return name;
  }

  /** Adds a node with one output. */
  node(opType: string, input: readonly Value[], attributes: Record<string, Attribute> = {}): Value {
    return this.nodes(opType, input, { outputs: 1, attributes })[0]!; // it has one
  }

  /** Adds a node with several outputs; an empty input name leaves that input out. */
  nodes(
    opType: string,
    input: readonly Value[],
    { outputs, attributes = {}, domain = "" }: {
      outputs: number;
      attributes?: Record<string, Attribute>;
      domain?: string;
    },
  ): Value[] {
    const output = Array.from({ length: outputs }, () => this.#name(opType));
    this.#nodes.push({ opType, domain, input: [...input], output, attributes });
    return output;
  }

  /** `value[…, from:to, …]` along an axis; negative positions count from the end. */
  slice(
    value: Value,
    { axis, from = 0, to = Number.MAX_SAFE_INTEGER }: { axis: number; from?: number; to?: number },
  ): Value {
    return this.node("Slice", [value, this.ints([from]), this.ints([to]), this.ints([axis])]);
  }

  /** Cuts `[B, n]` into parts of these widths, a few at a time (see {@linkcode MAX_SPLIT}). */
  split(value: Value, sizes: readonly number[]): Value[] {
    if (sizes.length <= MAX_SPLIT) {
      return this.nodes("Split", [value, this.ints(sizes)], {
        outputs: sizes.length,
        attributes: { axis: 1 },
      });
    }
    const groupSize = Math.ceil(sizes.length / MAX_SPLIT);
    const groups: number[][] = [];
    for (let at = 0; at < sizes.length; at += groupSize) {
      groups.push(sizes.slice(at, at + groupSize));
    }
    const widths = groups.map((group) => group.reduce((sum, size) => sum + size, 0));
    return this.split(value, widths).flatMap((part, i) => this.split(part, groups[i]!));
  }

  /** Reshape; −1 is inferred, 0 keeps the input's size at that place. */
  reshape(value: Value, shape: readonly number[]): Value {
    return this.node("Reshape", [value, this.ints(shape)]);
  }

  /** The finished model's bytes. */
  encode(): Uint8Array {
    return encodeModel({
      producer: "cpc-stream",
      graph: {
        name: "cpc",
        nodes: this.#nodes,
        constants: this.#constants,
        inputs: this.#inputs,
        outputs: this.#outputs,
      },
      opsets: OPSETS,
    });
  }

  #name(prefix: string): Value {
    return `${prefix}_${this.#count++}`;
  }
}

function typeOf(array: Constant): number {
  if (array instanceof Float32Array) return DATA_TYPES.float;
  if (array instanceof BigInt64Array) return DATA_TYPES.int64;
  if (array instanceof Uint8Array) return DATA_TYPES.uint8;
  return array instanceof Int8Array ? DATA_TYPES.int8 : DATA_TYPES.int32;
}

function bytesOf(array: Constant): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
