/** Frames on the wire: the `frames` text message, and the binary frame that carries the same. */
import { Buffer } from "node:buffer";
import type { FrameBlock, Want } from "../../inference/messages.ts";
import { OUTPUTS } from "../../inference/want.ts";

/**
 * The first bytes of a binary frame, "CPC1"; "CPC2" of one that names its channel. Little endian.
 */
const BINARY_MAGIC = { one: 0x31435043, split: 0x32435043 } as const;
/** Bytes before the rows of a binary frame. */
const BINARY_HEADER_BYTES = { one: 16, split: 20 } as const;

/** What the codec needs to know about the model. */
export interface FrameShape {
  readonly contextWidth: number;
  readonly latentWidth: number;
  /** Seconds per frame. */
  readonly frameSeconds: number;
  /** Steps in force, as stated in the binary header. */
  readonly steps: number;
}

/**
 * A block of one channel as a binary frame, little endian: "CPC1" · u32 first · u32 count · u8
 * output bits · u8 dtype · u16 number of steps · rows. With a channel: "CPC2", and u16 channel ·
 * u16 0 before the rows.
 *
 * @param options `dtype`: rows as 32-bit or 16-bit floats; `channel`: of a stream that is split
 */
export function encodeBinary(
  block: FrameBlock,
  { shape, dtype, channel }: { shape: FrameShape; dtype: "f32" | "f16"; channel?: number },
): Uint8Array {
  const rows = dtype === "f32" ? block.data : new Float16Array(block.data);
  const layout = channel === undefined ? "one" : "split";
  const header = BINARY_HEADER_BYTES[layout];
  const bytes = Buffer.allocUnsafe(header + rows.byteLength); // all of it is written
  const view = new DataView(bytes.buffer, bytes.byteOffset, header);
  view.setUint32(0, BINARY_MAGIC[layout], true);
  view.setUint32(4, block.first, true);
  view.setUint32(8, block.count, true);
  view.setUint8(12, outputBits(block.want));
  view.setUint8(13, dtype === "f32" ? 0 : 1);
  view.setUint16(14, shape.steps, true);
  if (channel !== undefined) view.setUint32(16, channel, true); // two bytes of it are always 0
  bytes.set(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength), header);
  return bytes;
}

/** A block of one channel without the rows of frames before `first`. */
export function rowsFrom(
  block: FrameBlock,
  { first, shape }: { first: number; shape: FrameShape },
): FrameBlock {
  const { want, count, data } = block;
  const skip = Math.min(count, Math.max(0, Math.ceil((first - block.first) / want.every)));
  if (skip === 0) return block;
  const kept: number[] = [];
  let at = 0;
  for (const width of rowWidths(want, shape)) {
    for (const x of data.subarray(at + skip * width, at + count * width)) kept.push(x);
    at += count * width;
  }
  return {
    ...block,
    first: block.first + skip * want.every,
    count: count - skip,
    data: Float32Array.from(kept),
  };
}

/** Floats of a row of each wanted output, in the order of the data. */
function rowWidths(want: Want, { contextWidth, latentWidth }: FrameShape): number[] {
  const { context, latent, prediction, score } = want;
  return [
    context ? contextWidth : 0,
    latent ? latentWidth : 0,
    prediction.length * latentWidth,
    score.length > 0 ? 1 + 2 * score.length : 0,
  ];
}

function outputBits(want: Want): number {
  const wanted = {
    context: want.context,
    latent: want.latent,
    prediction: want.prediction.length > 0,
    score: want.score.length > 0,
  };
  return OUTPUTS.reduce((bits, name, i) => wanted[name] ? bits | 1 << i : bits, 0);
}

/**
 * A block of one channel as the text of a `frames` message.
 *
 * @param options `formatRow`: writes a row of floats as a JSON array; `channel`: of a stream that
 *   is split
 */
export function encodeJson(
  { first, count, want, data }: FrameBlock,
  { shape, formatRow, channel }: {
    shape: FrameShape;
    formatRow: (row: Float32Array) => string;
    channel?: number;
  },
): string {
  const { contextWidth: C, latentWidth: Z } = shape;
  let at = 0;
  const take = (length: number) => data.subarray(at, at += length);
  const rows = (row: () => string) => `[${Array.from({ length: count }, row).join()}]`;
  const time = Number((first * shape.frameSeconds).toFixed(6));
  const whose = channel === undefined ? "" : `"channel":${channel},`;
  let text = `{"type":"frames",${whose}"first":${first},"count":${count},"time":${time}`;
  if (want.context) text += `,"context":${rows(() => formatRow(take(C)))}`;
  if (want.latent) text += `,"latent":${rows(() => formatRow(take(Z)))}`;
  if (want.prediction.length > 0) {
    text += `,"prediction":${
      rows(() => `[${want.prediction.map(() => formatRow(take(Z))).join()}]`)
    }`;
  }
  if (want.score.length > 0) {
    text += `,"score":${rows(() => scoreText(take(1 + 2 * want.score.length), formatRow))}`;
  }
  return text + "}";
}

/**
 * A score row (surprise, nce of each step, correct of each) as an object; null where there is none.
 */
function scoreText(row: Float32Array, formatRow: (row: Float32Array) => string): string {
  if (Number.isNaN(row[0])) return "null";
  const steps = (row.length - 1) / 2;
  const [nce, correct] = [row.subarray(1, 1 + steps), row.subarray(1 + steps)];
  return `{"nce":${formatRow(nce)},"correct":${formatRow(correct)},"surprise":${
    formatRow(row.subarray(0, 1)).slice(1, -1)
  }}`;
}
