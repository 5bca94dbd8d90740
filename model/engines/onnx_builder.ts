/**
 * A small writer of ONNX graphs on top of the field's own protobuf classes
 * (https://github.com/onnx/onnx, opset 17).
 */
import onnxProto from "onnx-proto";

const { onnx } = onnxProto;
const { FLOAT, UINT8, INT8, INT32, INT64 } = onnx.TensorProto.DataType;
const OPSET = 17;
const IR_VERSION = 8;

/**
 * Most outputs of a Split: WebGPU guarantees a shader only 8 buffers, and one of them is the input.
 */
const MAX_SPLIT = 7;

/** A value of the graph, by name. */
export type Value = string & { readonly __brand?: "onnx value" };

/** An attribute of a node. */
export type Attribute = number | string | readonly number[] | { readonly float: number };

/** Arrays that a constant may hold. */
export type Constant = Float32Array | Uint8Array | Int8Array | Int32Array;

/** Collects nodes, constants, inputs and outputs, and encodes them as an ONNX model. */
export class OnnxBuilder {
  readonly #nodes: onnxProto.onnx.INodeProto[] = [];
  readonly #constants: onnxProto.onnx.ITensorProto[] = [];
  readonly #inputs: onnxProto.onnx.IValueInfoProto[] = [];
  readonly #outputs: onnxProto.onnx.IValueInfoProto[] = [];
  readonly #shapes = new Map<string, Value>();
  #count = 0;

  /** Declares a float input; a name in the shape is a dynamic size. */
  input(name: string, shape: readonly (number | string)[]): Value {
    this.#inputs.push(valueInfo(name, shape));
    return name;
  }

  /** Declares a value as a float output under the given name. */
  output(name: string, value: Value, shape: readonly (number | string)[]): void {
    this.#nodes.push({ opType: "Identity", input: [value], output: [name] });
    this.#outputs.push(valueInfo(name, shape));
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
        dataType: INT64,
        dims: [values.length],
        rawData: bytesOf(BigInt64Array.from(values, BigInt)),
      });
      this.#shapes.set(key, name);
    }
    return name;
  }

  /** Adds a node with one output. */
  node(opType: string, input: readonly Value[], attributes: Record<string, Attribute> = {}): Value {
    return this.nodes(opType, input, { outputs: 1, attributes })[0];
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
    this.#nodes.push({
      opType,
      domain,
      input: [...input],
      output,
      attribute: Object.entries(attributes).map(attribute),
    });
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
    return this.split(value, widths).flatMap((part, i) => this.split(part, groups[i]));
  }

  /** Reshape; −1 is inferred, 0 keeps the input's size at that place. */
  reshape(value: Value, shape: readonly number[]): Value {
    return this.node("Reshape", [value, this.ints(shape)]);
  }

  /** The finished model's bytes. */
  encode(): Uint8Array {
    const graph = {
      name: "cpc",
      node: this.#nodes,
      initializer: this.#constants,
      input: this.#inputs,
      output: this.#outputs,
    };
    const opsetImport = [{ domain: "", version: OPSET }, { domain: "com.microsoft", version: 1 }];
    return onnx.ModelProto.encode({
      irVersion: IR_VERSION,
      producerName: "cpc-stream",
      opsetImport,
      graph,
    }).finish();
  }

  #name(prefix: string): Value {
    return `${prefix}_${this.#count++}`;
  }
}

function typeOf(array: Constant): number {
  if (array instanceof Float32Array) return FLOAT;
  if (array instanceof Uint8Array) return UINT8;
  return array instanceof Int8Array ? INT8 : INT32;
}

function bytesOf(array: Constant | BigInt64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function valueInfo(
  name: string,
  shape: readonly (number | string)[],
): onnxProto.onnx.IValueInfoProto {
  const dim = shape.map((size) =>
    typeof size === "number" ? { dimValue: size } : { dimParam: size }
  );
  return { name, type: { tensorType: { elemType: FLOAT, shape: { dim } } } };
}

function attribute([name, value]: [string, Attribute]): onnxProto.onnx.IAttributeProto {
  const { AttributeType } = onnx.AttributeProto;
  if (typeof value === "number") return { name, type: AttributeType.INT, i: value };
  if (typeof value === "string") {
    return { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) };
  }
  if ("float" in value) return { name, type: AttributeType.FLOAT, f: value.float };
  return { name, type: AttributeType.INTS, ints: [...value] };
}
