/**
 * NumPy's npy format, version 1.0
 * (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
 */

import type { Dtype } from "./float_bytes.ts";

const DESCRIPTIONS: Record<Dtype, string> = { f32: "<f4", f16: "<f2" };

/**
 * The header of a C-ordered little-endian array of floats; the data follow.
 *
 * @param shape sizes, outermost first
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { npyHeader } from "./npy.ts";
 *
 * const header = new TextDecoder("latin1").decode(npyHeader([100, 256]));
 * assert.match(header, /'shape': \(100, 256\)/);
 * ```
 */
export function npyHeader(shape: readonly number[], dtype: Dtype = "f32"): Uint8Array<ArrayBuffer> {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const text = `{'descr': '${DESCRIPTIONS[dtype]}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64; // the data begin at a multiple of 64
  const bytes = new Uint8Array(length).fill(0x20);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]); // \x93NUMPY 1.0
  new DataView(bytes.buffer).setUint16(8, length - 10, true);
  bytes.set(new TextEncoder().encode(text), 10);
  bytes[length - 1] = 0x0a;
  return bytes;
}
