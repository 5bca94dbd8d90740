/**
 * What a head's `head.onnx` is made of: its operators, and its inputs and outputs. Field numbers
 * are those of `onnx.proto` (https://github.com/onnx/onnx/blob/v1.17.0/onnx/onnx.proto).
 */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { CpcError } from "../../errors.ts";
import { DATA_TYPES } from "../engines/onnx_proto.ts";

/** Graphs in graphs, as branches have them, beyond which nobody looks. */
const MOST_DEPTH = 16;

/** An input or output. */
export interface GraphValue {
  readonly name: string;
  readonly isFloat: boolean;
  /** Undefined where the size is free; undefined as a whole where nothing is said of it. */
  readonly shape?: readonly (number | undefined)[];
}

/** An operator. */
export interface Operator {
  /** Of its node. */
  readonly name: string;
  readonly domain: string;
  readonly opType: string;
  /** Names of the values that it takes and gives. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Numbers that belong to a graph. */
export interface FloatConstant {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A graph, as far as a head is checked by it. */
export interface GraphSummary {
  /** All of them, those in branches too. */
  readonly operators: readonly Operator[];
  /** Without constants. */
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  /** Its own 32-bit floats by name, as far as they are bytes. */
  readonly floats: ReadonlyMap<string, FloatConstant>;
  /** Files beside the graph that hold its constants. */
  readonly external: boolean;
  /** Functions of its own. */
  readonly functions: readonly string[];
}

/**
 * Reads a graph.
 *
 * @param file its path, for errors
 * @throws {CpcError} `weights_invalid` if it is no ONNX model
 */
export function readGraph(bytes: Uint8Array, file: string): GraphSummary {
  const functions: string[] = [];
  let graph: Graph | undefined;
  try {
    const reader = new BinaryReader(bytes);
    each(reader, reader.len, {
      7: (reader) => graph = readGraphMessage(reader, 0),
      25: (reader) => {
        functions.push(readFunctionName(reader));
      },
    });
  } catch (error) {
    throw new CpcError("weights_invalid", `${file} is no ONNX model: ${(error as Error).message}`);
  }
  if (!graph) throw new CpcError("weights_invalid", `${file} is no ONNX model: it has no graph`);
  const { constants, inputs } = graph;
  return { ...graph, inputs: inputs.filter(({ name }) => !constants.has(name)), functions };
}

interface Graph {
  readonly operators: Operator[];
  readonly inputs: GraphValue[];
  readonly outputs: GraphValue[];
  readonly constants: Set<string>;
  readonly floats: Map<string, FloatConstant>;
  external: boolean;
}

type Fields = Readonly<Record<number, (reader: BinaryReader, type: WireType) => void>>;

/** Calls a field's reader for each field of a message, and skips the others. */
function each(
  reader: BinaryReader,
  end: number,
  fields: Fields,
): void {
  while (reader.pos < end) {
    const [field, type] = reader.tag();
    const read = fields[field];
    if (read) read(reader, type);
    else reader.skip(type, field);
  }
}

/** A message within another: its fields, up to its own end. */
function message(
  reader: BinaryReader,
  fields: Fields,
): void {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new RangeError("it is cut short");
  each(reader, end, fields);
}

function readGraphMessage(reader: BinaryReader, depth: number): Graph {
  if (depth > MOST_DEPTH) throw new RangeError(`it has graphs more than ${MOST_DEPTH} deep`);
  const graph: Graph = {
    operators: [],
    inputs: [],
    outputs: [],
    constants: new Set(),
    floats: new Map(),
    external: false,
  };
  message(reader, {
    1: (reader) => readNode(reader, { graph, depth }),
    5: (reader) => graph.constants.add(readTensor(reader, graph)),
    11: (reader) => graph.inputs.push(readValue(reader)),
    12: (reader) => graph.outputs.push(readValue(reader)),
  });
  return graph;
}

function readNode(
  reader: BinaryReader,
  { graph, depth }: { graph: Graph; depth: number },
): void {
  let [name, opType, domain] = ["", "", ""];
  const [inputs, outputs]: [string[], string[]] = [[], []];
  const within = (reader: BinaryReader) => {
    const inner = readGraphMessage(reader, depth + 1);
    graph.operators.push(...inner.operators);
    graph.external ||= inner.external;
  };
  message(reader, {
    1: (reader) => inputs.push(reader.string()),
    2: (reader) => outputs.push(reader.string()),
    3: (reader) => name = reader.string(),
    4: (reader) => opType = reader.string(),
    7: (reader) => domain = reader.string(),
    5: (reader) =>
      // AttributeProto
      message(reader, {
        5: (reader) => readTensor(reader, graph),
        6: within,
        10: (reader) => readTensor(reader, graph),
        11: within,
      }),
  });
  graph.operators.push({ name, domain, opType, inputs, outputs });
}

/** Notes its numbers, or that they lie in another file; returns its name. */
function readTensor(reader: BinaryReader, graph: Pick<Graph, "external" | "floats">): string {
  let name = "";
  let type = 0;
  let bytes: Uint8Array | undefined;
  const shape: number[] = [];
  message(reader, {
    1: (reader, type) => {
      if (type === WireType.Varint) shape.push(Number(reader.int64()));
      else { // several together
        const end = reader.uint32() + reader.pos;
        while (reader.pos < end) shape.push(Number(reader.int64()));
      }
    },
    2: (reader) => type = reader.int32(),
    8: (reader) => name = reader.string(),
    9: (reader) => bytes = reader.bytes(),
    13: (reader) => {
      graph.external = true;
      reader.skip(WireType.LengthDelimited);
    },
  });
  const floats = shape.reduce((a, b) => a * b, 1);
  if (type === DATA_TYPES.float && bytes?.length === 4 * floats) {
    graph.floats.set(name, { shape, data: new Float32Array(bytes.slice().buffer) });
  }
  return name;
}

function readValue(reader: BinaryReader): GraphValue {
  let name = "";
  let elementType = 0;
  let shape: (number | undefined)[] | undefined;
  message(reader, {
    1: (reader) => name = reader.string(),
    2: (reader) =>
      // TypeProto
      message(reader, {
        1: (reader) =>
          // TypeProto.tensor_type
          message(reader, {
            1: (reader) => elementType = reader.int32(),
            2: (reader) => { // TensorShapeProto
              const sizes: (number | undefined)[] = [];
              message(reader, {
                1: (reader) => {
                  let size: number | undefined;
                  message(reader, { 1: (reader) => size = Number(reader.int64()) });
                  sizes.push(size);
                },
              });
              shape = sizes;
            },
          }),
      }),
  });
  return { name, isFloat: elementType === DATA_TYPES.float, shape };
}

function readFunctionName(reader: BinaryReader): string {
  let name = "";
  message(reader, { 1: (reader) => name = reader.string() });
  return name;
}
