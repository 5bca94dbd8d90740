/** Features as a Parquet table, written row group by row group. */
import { ByteWriter, type ColumnSource, ParquetWriter } from "hyparquet-writer";
import type { Dtype } from "../../formats/float_bytes.ts";
import { arrays, type Embedded, type Feature } from "../../recordings/features.ts";

/** Rows held at once: 40 s of frames. */
const GROUP_ROWS = 4000;

/** What stands beside the features. */
export interface ParquetOptions {
  /** The audio file of each item. */
  readonly files: readonly string[];
  /** Id of the model. */
  readonly model: string;
  /** Frames a second. */
  readonly frameRate: number;
  /** Whether each output of frames is one vector of the file. */
  readonly pooled: boolean;
  readonly dtype: Dtype;
}

/**
 * A Parquet file, in pieces. It has a row for each frame (`file`, `frame`, `time_s`), for each row
 * of a head (`file`, `row`, `time_s`), or, if pooled, for each file (`file`, `seconds`); and a
 * column for each output, of lists that are nested as its rows are.
 *
 * @param items recordings with the same outputs, all of one rate
 */
export async function* parquetTable(
  items: readonly Embedded[],
  { files, model, frameRate, pooled, dtype }: ParquetOptions,
): AsyncGenerator<Uint8Array> {
  const sink = new ByteWriter();
  let writer: ParquetWriter | undefined;
  for (const [i, item] of items.entries()) {
    const { rows, keys, outputs } = tableOf(item, { frameRate, pooled });
    writer ??= new ParquetWriter({
      writer: sink,
      schema: [
        { name: "root", num_children: 1 + keys.length + outputs.length },
        { name: "file", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "REQUIRED" },
        ...keys.map(({ name, type }) => ({ name, type, repetition_type: "REQUIRED" as const })),
        ...outputs.flatMap(({ output, rowShape }) => listOf(output, { rowShape, dtype })),
      ],
      codec: "UNCOMPRESSED", // a network's floats hardly shrink
      kvMetadata: [
        { key: "model", value: model },
        { key: "frame_rate", value: String(frameRate) },
      ],
      createdBy: "cpc-stream",
    });
    const columns = outputs.map((output) => new Column(output));
    for (let first = 0; first < rows; first += GROUP_ROWS) {
      const count = Math.min(GROUP_ROWS, rows - first);
      const columnData: ColumnSource[] = [
        { name: "file", data: Array<string>(count).fill(files[i]) },
        ...keys.map(({ name, at }) => ({
          name,
          data: Array.from({ length: count }, (_, row) => at(first + row)),
        })),
      ];
      for (const column of columns) {
        const data = await column.take(count);
        columnData.push({ name: column.name, data, encoding: "PLAIN", statistics: false });
      }
      writer.write({ columnData, rowGroupSize: count });
      yield taken(sink);
    }
  }
  writer?.finish();
  yield taken(sink);
}

/** A column that says where a row belongs. */
interface Key {
  readonly name: string;
  readonly type: "INT32" | "DOUBLE";
  readonly at: (row: number) => number;
}

/** A column of features, with the shape of its rows. */
interface Output extends Pick<Feature, "output" | "read"> {
  readonly rowShape: readonly number[];
}

/** The rows of one recording. */
function tableOf(
  item: Embedded,
  { frameRate, pooled }: { frameRate: number; pooled: boolean },
): { rows: number; keys: Key[]; outputs: Output[] } {
  const [head] = item.heads;
  if (!head && pooled) {
    const outputs = item.features.map((one) => ({ ...one, rowShape: one.shape }));
    return {
      rows: 1,
      keys: [{ name: "seconds", type: "DOUBLE", at: () => item.seconds }],
      outputs,
    };
  }
  const keys: Key[] = [
    { name: head ? "row" : "frame", type: "INT32", at: (row) => row },
    // a frame's own start; of a head's row, the end of what it has heard
    {
      name: "time_s",
      type: "DOUBLE",
      at: (row) => head ? (row + 1) / head.rate : row / frameRate,
    },
  ];
  const outputs = arrays(item).map((one) => ({ ...one, rowShape: one.shape.slice(1) }));
  return { rows: head ? head.rows : item.frames, keys, outputs };
}

type Schema = ConstructorParameters<typeof ParquetWriter>[0]["schema"];

/** The schema of a column whose values are lists, one in another for each axis. */
function listOf(
  name: string,
  { rowShape, dtype }: { rowShape: readonly number[]; dtype: Dtype },
): Schema {
  if (rowShape.length === 0) {
    return dtype === "f32" ? [{ name, type: "FLOAT", repetition_type: "REQUIRED" }] : [{
      name,
      type: "FIXED_LEN_BYTE_ARRAY",
      type_length: 2,
      logical_type: { type: "FLOAT16" },
      repetition_type: "REQUIRED",
    }];
  }
  return [
    {
      name,
      converted_type: "LIST",
      logical_type: { type: "LIST" },
      repetition_type: "REQUIRED",
      num_children: 1,
    },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    ...listOf("element", { rowShape: rowShape.slice(1), dtype }),
  ];
}

/** Lists as deep as a row's shape. */
type Nested = number | Nested[];

/** Reads the rows of an output in groups. */
class Column {
  readonly name: string;
  readonly #rowShape: readonly number[];
  readonly #pieces: AsyncIterator<Float32Array>;
  #piece: Float32Array = new Float32Array(0);
  #at = 0;

  constructor({ output, rowShape, read }: Output) {
    this.name = output;
    this.#rowShape = rowShape;
    this.#pieces = read()[Symbol.asyncIterator]();
  }

  /** The next rows. */
  async take(count: number): Promise<Nested[]> {
    const width = this.#rowShape.reduce((a, b) => a * b, 1);
    const values = new Float32Array(count * width);
    for (let filled = 0; filled < values.length;) {
      const part = this.#piece.subarray(this.#at, this.#at + values.length - filled);
      values.set(part, filled);
      filled += part.length;
      this.#at += part.length;
      if (filled === values.length) break;
      const { value, done } = await this.#pieces.next();
      if (done) throw new RangeError(`${this.name} ended ${values.length - filled} numbers early`);
      [this.#piece, this.#at] = [value, 0];
    }
    const nested = (shape: readonly number[], at: number): Nested => {
      const [size, ...inner] = shape;
      if (size === undefined) return values[at];
      const step = inner.reduce((a, b) => a * b, 1);
      if (inner.length === 0) return Array.from(values.subarray(at, at + size));
      return Array.from({ length: size }, (_, i) => nested(inner, at + i * step));
    };
    return Array.from({ length: count }, (_, row) => nested(this.#rowShape, row * width));
  }
}

/** What was written since the last call. */
function taken(sink: ByteWriter): Uint8Array {
  const bytes = sink.getBytes().slice();
  sink.index = 0;
  return bytes;
}
