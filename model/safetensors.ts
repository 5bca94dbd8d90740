/**
 * The safetensors file format (https://github.com/huggingface/safetensors): an 8-byte header
 * length, a JSON header, then the data.
 */
import { z } from "zod";
import { CpcError } from "../errors.ts";

/** A tensor in row-major order, as PyTorch lays it out. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** The dtypes that this module reads and writes: 32-bit and 16-bit floats. */
export type Dtype = "F32" | "F16";
const ITEM_BYTES: Record<Dtype, number> = { F32: 4, F16: 2 };
const MAX_HEADER_BYTES = 16 * 1024 * 1024;

const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(z.int().min(0)).max(8),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
});
const headerSchema = z.record(z.string(), z.unknown());
const metadataSchema = z.record(z.string(), z.string());

/** Number of elements in a tensor of this shape. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * Reads every tensor of a safetensors file, and widens 16-bit floats to 32 bits.
 *
 * @param bytes the whole file
 * @param name its name in messages
 * @throws {CpcError} `weights_invalid`, naming the tensor: header or data cut short, a dtype other
 *   than F32 and F16, sizes or offsets that do not agree, NaN or infinite values
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readSafetensors, writeSafetensors } from "./safetensors.ts";
 *
 * const bias = { shape: [2], data: Float32Array.of(0.5, -1) };
 * const file = writeSafetensors(new Map([["bias", bias]]));
 * assert.deepEqual(readSafetensors(file).get("bias"), bias);
 * ```
 */
export function readSafetensors(
  bytes: Uint8Array,
  name = "the safetensors file",
): Map<string, Tensor> {
  const fail = failureOf(name);
  const { header, dataStart } = readHeader(bytes, fail);
  const dataBytes = bytes.byteLength - dataStart;
  const tensors = new Map<string, Tensor>();
  const spans: { from: number; to: number; tensor: string }[] = [];
  for (const [tensor, value] of Object.entries(header)) {
    if (tensor === "__metadata__") continue;
    const entry = entrySchema.safeParse(value);
    if (!entry.success) return fail(`tensor ${tensor} has a malformed header entry`);
    const { dtype, shape, data_offsets: [from, to] } = entry.data;
    if (dtype !== "F32" && dtype !== "F16") {
      return fail(`tensor ${tensor} has dtype ${dtype}; only F32 and F16 can be read`);
    }
    if (from > to || to > dataBytes) {
      fail(
        `tensor ${tensor} lies at bytes ${from} to ${to}, but the file has ${dataBytes} ` +
          "bytes of data: it is cut short",
      );
    }
    const wanted = elementCount(shape) * ITEM_BYTES[dtype];
    if (to - from !== wanted) {
      fail(
        `tensor ${tensor} of shape [${shape}] needs ${wanted} bytes of ${dtype}, its offsets span ${
          to - from
        }`,
      );
    }
    spans.push({ from, to, tensor });
    const data = readFloats(bytes.subarray(dataStart + from, dataStart + to), dtype);
    const bad = data.findIndex((x) => !Number.isFinite(x));
    if (bad >= 0) {
      fail(`tensor ${tensor} holds ${data[bad]} at element ${bad}; weights must be finite`);
    }
    tensors.set(tensor, { shape, data });
  }
  checkSpans(spans, dataBytes, fail);
  return tensors;
}

/**
 * The strings kept in a file's header.
 *
 * @param bytes the whole file
 * @param name its name in messages
 * @throws {CpcError} `weights_invalid` for a header cut short, or metadata that are not strings
 */
export function safetensorsMetadata(bytes: Uint8Array, name: string): Record<string, string> {
  const fail = failureOf(name);
  const metadata = metadataSchema.safeParse(readHeader(bytes, fail).header.__metadata__ ?? {});
  return metadata.success ? metadata.data : fail("its metadata are not all strings");
}

type Fail = (why: string) => never;

function failureOf(name: string): Fail {
  return (why) => {
    throw new CpcError("weights_invalid", `cannot read ${name}: ${why}`);
  };
}

function readHeader(
  bytes: Uint8Array,
  fail: Fail,
): { header: Record<string, unknown>; dataStart: number } {
  if (bytes.byteLength < 8) {
    fail(`it has ${bytes.byteLength} bytes, fewer than the 8 of a safetensors header length`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  if (headerBytes > MAX_HEADER_BYTES || headerBytes < 2) {
    fail(
      `its header length is ${headerBytes} bytes, outside 2 to ${MAX_HEADER_BYTES}: not a ` +
        "safetensors file",
    );
  }
  const dataStart = 8 + headerBytes;
  if (dataStart > bytes.byteLength) {
    fail(`it is cut short inside its header (${bytes.byteLength} of at least ${dataStart} bytes)`);
  }
  return { header: parseHeader(bytes.subarray(8, dataStart), fail), dataStart };
}

function parseHeader(bytes: Uint8Array, fail: Fail): Record<string, unknown> {
  let text: unknown;
  try {
    text = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return fail("its header is not JSON");
  }
  const header = headerSchema.safeParse(text);
  return header.success ? header.data : fail("its header is not a JSON object");
}

/** Tensors must cover the data exactly: no gap, no overlap, nothing behind the last one. */
function checkSpans(
  spans: { from: number; to: number; tensor: string }[],
  dataBytes: number,
  fail: Fail,
) {
  let end = 0;
  for (const { from, to, tensor } of spans.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    if (from !== end) fail(`tensor ${tensor} begins at byte ${from} of the data, expected ${end}`);
    end = to;
  }
  if (end !== dataBytes) {
    fail(`its tensors end at byte ${end} of the data, the file at ${dataBytes}`);
  }
}

function readFloats(bytes: Uint8Array, dtype: Dtype): Float32Array {
  const copy = bytes.slice(); // aligned
  return dtype === "F32"
    ? new Float32Array(copy.buffer)
    : new Float32Array(new Float16Array(copy.buffer));
}

/**
 * Writes a safetensors file.
 *
 * @param options `dtype` of every tensor (default F32), or a function of the tensor's name;
 *   `metadata`: strings kept in the header
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  options: { dtype?: Dtype | ((name: string) => Dtype); metadata?: Record<string, string> } = {},
): Uint8Array<ArrayBuffer> {
  const header: Record<string, unknown> = options.metadata
    ? { __metadata__: options.metadata }
    : {};
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    const dtype = typeof options.dtype === "function"
      ? options.dtype(name)
      : options.dtype ?? "F32";
    const values = dtype === "F32" ? data : new Float16Array(data);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.byteLength] };
    offset += bytes.byteLength;
    parts.push(bytes);
  }
  const text = JSON.stringify(header);
  // ASCII names: one byte a character
  const head = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8));
  const file = new Uint8Array(8 + head.byteLength + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(head.byteLength), true);
  file.set(head, 8);
  let at = 8 + head.byteLength;
  for (const part of parts) {
    file.set(part, at);
    at += part.byteLength;
  }
  return file;
}
