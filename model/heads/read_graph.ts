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

/** A graph, as far as a head is checked by it. */
export interface GraphSummary {
  /** All of them, those in branches too. */
  readonly operators: readonly Operator[];
  /** Without constants. */
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
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
  external: boolean;
}

/** Calls a field's reader for each field of a message, and skips the others. */
function each(
  reader: BinaryReader,
  end: number,
  fields: Readonly<Record<number, (reader: BinaryReader) => void>>,
): void {
  while (reader.pos < end) {
    const [field, type] = reader.tag();
    const read = fields[field];
    if (read) read(reader);
    else reader.skip(type, field);
  }
}

/** A message within another: its fields, up to its own end. */
function message(
  reader: BinaryReader,
  fields: Readonly<Record<number, (reader: BinaryReader) => void>>,
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

/** Notes whether its numbers lie in another file; returns its name. */
function readTensor(reader: BinaryReader, graph: Pick<Graph, "external">): string {
  let name = "";
  message(reader, {
    8: (reader) => name = reader.string(),
    13: (reader) => {
      graph.external = true;
      reader.skip(WireType.LengthDelimited);
    },
  });
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
