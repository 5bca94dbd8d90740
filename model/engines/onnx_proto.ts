/**
 * The ONNX messages that our graphs consist of, and their protobuf encoding. Field numbers are
 * those of `onnx.proto` (https://github.com/onnx/onnx/blob/v1.17.0/onnx/onnx.proto, IR version 8).
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

const IR_VERSION = 8;

/** `TensorProto.DataType`, as far as our graphs use it. */
export const DATA_TYPES = { float: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const;
/** `AttributeProto.AttributeType`, as far as our graphs use it. */
const ATTRIBUTE_TYPES = { float: 1, int: 2, string: 3, ints: 7 } as const;

/** What `TensorProto` says of a constant: little-endian bytes, row-major. */
export interface TensorMessage {
  readonly name: string;
  readonly dataType: number;
  readonly dims: readonly number[];
  readonly rawData: Uint8Array;
}

/** An attribute's value; a bare number is an integer. */
export type Attribute = number | string | readonly number[] | { readonly float: number };

/** What `NodeProto` says of one operation. */
export interface NodeMessage {
  readonly opType: string;
  readonly domain?: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

/** What `ValueInfoProto` says of an input or output; a name in the shape is a dynamic size. */
export interface ValueMessage {
  readonly name: string;
  readonly shape: readonly (number | string)[];
  /** Floats by default. */
  readonly dataType?: number;
}

/** A whole model: one graph and the versions of the operators it uses, by domain. */
export interface ModelMessage {
  readonly producer: string;
  readonly graph: {
    readonly name: string;
    readonly nodes: readonly NodeMessage[];
    readonly constants: readonly TensorMessage[];
    readonly inputs: readonly ValueMessage[];
    readonly outputs: readonly ValueMessage[];
  };
  readonly opsets: Readonly<Record<string, number>>;
}

/** The bytes of a `ModelProto`. */
export function encodeModel({ producer, graph, opsets }: ModelMessage): Uint8Array {
  const writer = new BinaryWriter();
  integer(writer, 1, IR_VERSION);
  text(writer, 2, producer);
  message(writer, 7, () => {
    for (const node of graph.nodes) message(writer, 1, () => writeNode(writer, node));
    text(writer, 2, graph.name);
    for (const constant of graph.constants) message(writer, 5, () => writeTensor(writer, constant));
    for (const input of graph.inputs) message(writer, 11, () => writeValue(writer, input));
    for (const output of graph.outputs) message(writer, 12, () => writeValue(writer, output));
  });
  for (const [domain, version] of Object.entries(opsets)) {
    message(writer, 8, () => {
      text(writer, 1, domain);
      integer(writer, 2, version);
    });
  }
  return writer.finish();
}

function writeNode(writer: BinaryWriter, node: NodeMessage): void {
  for (const name of node.input) text(writer, 1, name);
  for (const name of node.output) text(writer, 2, name);
  text(writer, 4, node.opType);
  for (const [name, value] of Object.entries(node.attributes ?? {})) {
    message(writer, 5, () => {
      text(writer, 1, name);
      writeAttribute(writer, value);
    });
  }
  if (node.domain) text(writer, 7, node.domain);
}

function writeAttribute(writer: BinaryWriter, value: Attribute): void {
  if (typeof value === "number") {
    integer(writer, 3, value);
    integer(writer, 20, ATTRIBUTE_TYPES.int);
  } else if (typeof value === "string") {
    text(writer, 4, value);
    integer(writer, 20, ATTRIBUTE_TYPES.string);
  } else if ("float" in value) {
    writer.tag(2, WireType.Bit32).float(value.float);
    integer(writer, 20, ATTRIBUTE_TYPES.float);
  } else {
    for (const number of value) integer(writer, 8, number);
    integer(writer, 20, ATTRIBUTE_TYPES.ints);
  }
}

function writeTensor(writer: BinaryWriter, { name, dataType, dims, rawData }: TensorMessage): void {
  for (const size of dims) integer(writer, 1, size);
  integer(writer, 2, dataType);
  text(writer, 8, name);
  writer.tag(9, WireType.LengthDelimited).bytes(rawData);
}

function writeValue(
  writer: BinaryWriter,
  { name, shape, dataType = DATA_TYPES.float }: ValueMessage,
): void {
  text(writer, 1, name);
  message(writer, 2, () =>
    message(writer, 1, () => { // TypeProto.tensor_type
      integer(writer, 1, dataType);
      message(writer, 2, () => { // TensorShapeProto
        for (const size of shape) {
          message(writer, 1, () => {
            if (typeof size === "number") integer(writer, 1, size);
            else text(writer, 2, size);
          });
        }
      });
    }));
}

function message(writer: BinaryWriter, field: number, write: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write();
  writer.join();
}

function integer(writer: BinaryWriter, field: number, value: number): void {
  writer.tag(field, WireType.Varint).int64(value);
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}
