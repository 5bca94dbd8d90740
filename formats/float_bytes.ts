/** Floats as bytes of files and messages, little-endian. */

/** Types of a number: 32 or 16 bits. */
export const DTYPES = ["f32", "f16"] as const;
/** One of {@linkcode DTYPES}. */
export type Dtype = typeof DTYPES[number];
/** Bytes of a number. */
export const DTYPE_BYTES: Record<Dtype, number> = { f32: 4, f16: 2 };

/**
 * Bytes of their own for floats; 16 bits round to the nearest.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { floatBytes } from "./float_bytes.ts";
 *
 * assert.deepEqual(floatBytes(Float32Array.of(1), "f16"), Uint8Array.of(0, 0x3c));
 * ```
 */
export function floatBytes(values: Float32Array, dtype: Dtype = "f32"): Uint8Array<ArrayBuffer> {
  const copy = dtype === "f32" ? new Float32Array(values) : new Float16Array(values);
  return new Uint8Array(copy.buffer);
}
