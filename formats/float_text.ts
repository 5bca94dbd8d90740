/** Floats as JSON text. */

/**
 * A row of 32-bit floats as a JSON array; every number reads back as the same float. NaN and
 * infinities, which JSON lacks, become null.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { formatRow } from "./float_text.ts";
 *
 * assert.equal(formatRow([0.5, -1, NaN]), "[0.5,-1,null]");
 * ```
 */
export function formatRow(row: ArrayLike<number>): string {
  let text = "[";
  for (let i = 0; i < row.length; i++) {
    const x = row[i]!;
    text += i === 0 ? formatFloat(x) : "," + formatFloat(x);
  }
  return text + "]";
}

/**
 * A 32-bit float in few digits that read back as the same float: nine decimals where they suffice
 * (most features lie within ±1), otherwise the double's own digits.
 */
export function formatFloat(x: number): string {
  const short = Math.round(x * 1e9) / 1e9;
  if (Math.fround(short) === x && Number.isFinite(x)) return "" + short;
  return Number.isFinite(x) ? "" + x : "null";
}
