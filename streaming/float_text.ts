/** Floats as JSON text. */

/** Significant digits after which any 32-bit float reads back as itself. */
const DIGITS = 9;

/** A row of 32-bit floats as a JSON array; every number reads back as the same float. */
export function formatRow(row: Float32Array): string {
  let text = "[";
  for (let i = 0; i < row.length; i++) {
    if (i > 0) text += ",";
    text += formatFloat(row[i]);
  }
  return text + "]";
}

/** The shortest of a few precisions at which a 32-bit float reads back as itself. */
export function formatFloat(x: number): string {
  if (Number.isInteger(x)) return x.toString(); // −0 as 0
  for (let digits = 7; digits < DIGITS; digits++) {
    const short = Number(x.toPrecision(digits));
    if (Math.fround(short) === x) return short.toString();
  }
  return Number(x.toPrecision(DIGITS)).toString();
}
