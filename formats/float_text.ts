/** Floats as JSON text. */

/**
 * A row of 32-bit floats as a JSON array; every number reads back as the same float. NaN and
 * infinities have no JSON and become null.
 */
export function formatRow(row: ArrayLike<number>): string {
  let text = "[";
  for (let i = 0; i < row.length; i++) {
    text += i === 0 ? formatFloat(row[i]) : "," + formatFloat(row[i]);
  }
  return text + "]";
}

/**
 * A 32-bit float in few digits that read back as itself: nine decimals where they are enough (most
 * features lie within ±1), the double's own digits otherwise.
 */
export function formatFloat(x: number): string {
  const short = Math.round(x * 1e9) / 1e9;
  if (Math.fround(short) === x && Number.isFinite(x)) return "" + short;
  return Number.isFinite(x) ? "" + x : "null";
}
