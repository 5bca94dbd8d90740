/** Features as a safetensors file, written piece by piece. */
import { type Dtype, DTYPE_BYTES, floatBytes } from "../formats/float_bytes.ts";
import { elementCount } from "../model/safetensors.ts";
import { arrays, type Embedded } from "./features.ts";
import { rowParts } from "./parts.ts";

/** A safetensors file, in pieces: tensors named `INDEX.OUTPUT`. */
export async function* safetensorsAnswer(
  items: readonly Embedded[],
  { dtype, metadata }: { dtype: Dtype; metadata: Readonly<Record<string, string>> },
): AsyncGenerator<Uint8Array> {
  const features = items.flatMap((item, index) =>
    arrays(item).map((feature) => ({ ...feature, name: `${index}.${feature.output}` }))
  );
  let end = 0;
  const entries = features.map(({ name, shape }) => {
    const from = end;
    end += elementCount(shape) * DTYPE_BYTES[dtype];
    return [name, { dtype: dtype.toUpperCase(), shape, data_offsets: [from, end] }];
  });
  const text = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
  const header = new TextEncoder().encode(text);
  const padded = Math.ceil(header.length / 8) * 8; // so that the data are aligned
  const head = new Uint8Array(8 + padded).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(header, 8);
  yield head;
  for (const { read } of features) {
    for await (const piece of read()) {
      for (const part of rowParts(piece, 1)) yield floatBytes(part, dtype);
    }
  }
}
