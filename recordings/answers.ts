/** Features on their way out: rows as JSON, npy or npz, written piece by piece. */
import { Zip, ZipPassThrough } from "fflate";
import { CpcError } from "../errors.ts";
import { npyHeader } from "../formats/npy.ts";
import { formatRow } from "../formats/float_text.ts";
import type { FileOutput, Format } from "./options.ts";

/** One output of one recording. */
export interface Feature {
  readonly output: FileOutput;
  /** Of the whole array: `[T, C]`, `[T, steps, Z]`, or without T when pooled. */
  readonly shape: readonly number[];
  /** The array in order, in pieces of whole rows (the last size is a row). */
  read(): AsyncIterable<Float32Array>;
}

/** What is answered for one recording. */
export interface Embedded {
  readonly seconds: number;
  readonly frames: number;
  readonly features: readonly Feature[];
}

/** The media type of a format. */
export const MEDIA_TYPES: Record<Format, string> = {
  json: "application/json",
  npy: "application/x-npy",
  npz: "application/zip",
};

/** The format that an Accept header prefers; json where it does not say. */
export function acceptedFormat(accept: string | undefined, plainArray: boolean): Format {
  const wishes = (accept ?? "").split(",").map((part, place) => {
    const [type, ...params] = part.split(";").map((text) => text.trim().toLowerCase());
    const quality = Number(params.find((param) => param.startsWith("q="))?.slice(2) ?? 1);
    return { type, place, quality: Number.isFinite(quality) ? quality : 0 };
  });
  const wishFor = (format: Format) =>
    [MEDIA_TYPES[format], "application/*", "*/*"].map((range) =>
      wishes.find(({ type }) => type === range)
    ).find(Boolean);
  const [best] = (["json", "npy", "npz"] as const)
    .map((format) => ({ format, place: Infinity, quality: 0, ...wishFor(format) }))
    .sort((a, b) => b.quality - a.quality || a.place - b.place);
  if (best.quality === 0) return "json";
  return best.format === "npy" && !plainArray ? "npz" : best.format;
}

/** The JSON answer, in pieces. */
export async function* jsonAnswer(
  items: readonly Embedded[],
  { model, frameRate }: { model: string; frameRate: number },
): AsyncGenerator<string> {
  yield `{"object":"list","model":${JSON.stringify(model)},"frame_rate":${frameRate},"data":[`;
  for (const [index, { seconds, frames, features }] of items.entries()) {
    yield `${
      index ? "," : ""
    }{"object":"embedding","index":${index},"seconds":${seconds},"frames":${frames}`;
    for (const { output, shape, read } of features) {
      yield `,"${output}":`;
      yield* jsonArray(shape, read());
    }
    yield "}";
  }
  const total = items.reduce((sum, { seconds }) => sum + seconds, 0);
  yield `],"usage":{"audio_seconds":${total}}}`;
}

/**
 * A nested array of any depth; brackets open and close where a row begins or ends a larger unit.
 */
async function* jsonArray(
  shape: readonly number[],
  pieces: AsyncIterable<Float32Array>,
): AsyncGenerator<string> {
  const width = shape[shape.length - 1];
  const outer = shape.slice(0, -1);
  // rows in a unit of each depth
  const units = outer.map((_, depth) => outer.slice(depth).reduce((a, b) => a * b, 1));
  let row = 0;
  for await (const piece of pieces) {
    let text = "";
    for (let at = 0; at < piece.length; at += width, row++) {
      const opens = "[".repeat(units.filter((rows) => row % rows === 0).length);
      const closes = row === 0 ? "" : "]".repeat(opens.length) + ",";
      text += closes + opens + formatRow(piece.subarray(at, at + width));
    }
    yield text;
  }
  yield "]".repeat(outer.length);
}

/** An npy file, in pieces. */
export async function* npyAnswer({ shape, read }: Feature): AsyncGenerator<Uint8Array> {
  yield npyHeader(shape);
  for await (const piece of read()) {
    yield new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength).slice();
  }
}

/** Bytes that npz files hold at the most: their offsets are 32 bits. */
const MAX_NPZ_BYTES = 2 ** 32 - 2 ** 20;

/**
 * Refuses what an npz file cannot hold.
 *
 * @throws {CpcError} `invalid_option` with the size
 */
export function checkNpzSize(items: readonly Embedded[]): void {
  const floats = items.flatMap(({ features }) => features).reduce(
    (sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1),
    0,
  );
  if (floats * 4 <= MAX_NPZ_BYTES) return;
  const why = `this answer has ${
    floats * 4
  } bytes, npz files hold ${MAX_NPZ_BYTES}; ask for fewer outputs or recordings, or for json`;
  throw new CpcError("invalid_option", why, { param: "format" });
}

/** An npz file, in pieces: arrays named `INDEX.OUTPUT`, stored without compression. */
export async function* npzAnswer(items: readonly Embedded[]): AsyncGenerator<Uint8Array> {
  const ready: Uint8Array[] = [];
  const zip = new Zip((error, chunk) => {
    if (error) throw error;
    ready.push(chunk);
  });
  for (const [index, { features }] of items.entries()) {
    for (const feature of features) {
      const member = new ZipPassThrough(`${index}.${feature.output}.npy`);
      zip.add(member);
      for await (const piece of npyAnswer(feature)) {
        member.push(piece);
        yield* ready.splice(0);
      }
      member.push(new Uint8Array(0), true);
    }
  }
  zip.end();
  yield* ready;
}
