/** Frames of `format=binary`; docs/protocol.md has the layout. */
import type { Output, Score } from "./protocol.ts";
import { StreamError } from "./stream_error.ts";

/** Outputs in the order of their bits and rows. */
const OUTPUTS: readonly Output[] = ["context", "latent", "prediction", "score"];
/** "CPC1"; "CPC2" for a frame that names its channel. */
const MAGIC = { one: 0x31435043, split: 0x32435043 } as const;
const HEADER_BYTES = { one: 16, split: 20 } as const;

/** A binary message: its header, and all rows one after another. */
export interface BinaryFrame {
  readonly type: "binary";
  /** Whose rows they are, if the stream is split. */
  readonly channel?: number;
  readonly first: number;
  readonly count: number;
  readonly output: readonly Output[];
  /** Number of steps of predictions and scores. */
  readonly steps: number;
  readonly rows: Float32Array;
}

/** Rows of each received output, `count` of each. */
export interface Rows {
  /** `count` × `[C]` */
  context?: Float32Array[];
  /** `count` × `[Z]` */
  latent?: Float32Array[];
  /** `count` × steps × `[Z]` */
  prediction?: Float32Array[][];
  score?: (Score | null)[];
}

/**
 * Reads the header of a binary frame: "CPC1" · u32 first · u32 count · u8 output bits · u8 dtype ·
 * u16 number of steps · rows, little endian. With "CPC2", u16 channel · u16 0 come before the rows.
 *
 * @throws {StreamError} `connection_lost` for anything else
 */
export function decodeBinary(buffer: ArrayBuffer): BinaryFrame {
  const view = new DataView(buffer);
  const magic = buffer.byteLength < HEADER_BYTES.one ? 0 : view.getUint32(0, true);
  const layout = magic === MAGIC.split ? "split" : "one";
  const header = HEADER_BYTES[layout];
  if (magic !== MAGIC[layout] || buffer.byteLength < header) {
    throw new StreamError("connection_lost", "a binary message is not a CPC1 or CPC2 frame");
  }
  const bits = view.getUint8(12);
  return {
    type: "binary",
    ...(layout === "split" && { channel: view.getUint16(16, true) }),
    first: view.getUint32(4, true),
    count: view.getUint32(8, true),
    output: OUTPUTS.filter((_, i) => bits & 1 << i),
    steps: view.getUint16(14, true),
    rows: view.getUint8(13) === 0
      ? new Float32Array(buffer, header)
      : Float32Array.from(new Uint16Array(buffer, header), halfToFloat),
  };
}

/** Cuts the rows of a binary frame; C and Z are the model's widths. */
export function readRows(
  { count, output, steps: K, rows }: BinaryFrame,
  { context: C, latent: Z }: { readonly context: number; readonly latent: number },
): Rows {
  let at = 0;
  const take = (length: number) => rows.subarray(at, at += length);
  const list = <T>(length: number, make: () => T) => Array.from({ length }, make);
  const read: Rows = {};
  if (output.includes("context")) read.context = list(count, () => take(C)); // [count, C]
  if (output.includes("latent")) read.latent = list(count, () => take(Z)); // [count, Z]
  // [count, K, Z]
  if (output.includes("prediction")) read.prediction = list(count, () => list(K, () => take(Z)));
  if (output.includes("score")) {
    read.score = list(count, () => {
      const [surprise = NaN, ...rest] = take(1 + 2 * K);
      return Number.isNaN(surprise)
        ? null
        : { surprise, nce: rest.slice(0, K), correct: rest.slice(K) };
    });
  }
  return read;
}

/** IEEE 754 half precision. */
function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
