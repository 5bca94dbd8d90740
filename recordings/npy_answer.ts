/** Features as npy or npz, written piece by piece. */
import { Zip, ZipPassThrough } from "fflate";
import { CpcError } from "../errors.ts";
import { type Dtype, DTYPE_BYTES, floatBytes } from "../formats/float_bytes.ts";
import { npyHeader } from "../formats/npy.ts";
import { elementCount } from "../model/safetensors.ts";
import { arrays, type Embedded, type Feature } from "./features.ts";
import { rowParts } from "./parts.ts";

/** An npy file, in pieces. */
export async function* npyAnswer(
  { shape, read }: Feature,
  dtype: Dtype,
): AsyncGenerator<Uint8Array> {
  yield npyHeader(shape, dtype);
  for await (const piece of read()) {
    for (const part of rowParts(piece, 1)) yield floatBytes(part, dtype);
  }
}

/** Most bytes of an npz file, whose offsets have 32 bits. */
const MAX_NPZ_BYTES = 2 ** 32 - 2 ** 20;

/**
 * Refuses features that an npz file cannot hold.
 *
 * @throws {CpcError} `invalid_option` with the size
 */
export function checkNpzSize(items: readonly Embedded[], dtype: Dtype): void {
  const bytes = DTYPE_BYTES[dtype] *
    items.flatMap(arrays).reduce((sum, { shape }) => sum + elementCount(shape), 0);
  if (bytes <= MAX_NPZ_BYTES) return;
  const why =
    `this answer has ${bytes} bytes, but an npz file holds at most ${MAX_NPZ_BYTES}; ask for ` +
    "fewer outputs or recordings, or for safetensors or json";
  throw new CpcError("invalid_option", why, { param: "format" });
}

/** An npz file, in pieces: arrays named `INDEX.OUTPUT`, stored without compression. */
export async function* npzAnswer(
  items: readonly Embedded[],
  dtype: Dtype,
): AsyncGenerator<Uint8Array> {
  const ready: Uint8Array[] = [];
  const zip = new Zip((error, chunk) => {
    if (error) throw error;
    ready.push(chunk);
  });
  for (const [index, item] of items.entries()) {
    for (const feature of arrays(item)) {
      const member = new ZipPassThrough(`${index}.${feature.output}.npy`);
      zip.add(member);
      for await (const piece of npyAnswer(feature, dtype)) {
        member.push(piece);
        yield* ready.splice(0);
      }
      member.push(new Uint8Array(0), true);
    }
  }
  zip.end();
  yield* ready;
}
