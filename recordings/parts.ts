/** Cuts arrays into parts that take little time to write: the thread that does also has streams. */

/** Floats of a part: less than a millisecond as JSON. */
export const PART_FLOATS = 8192;

/**
 * An array in parts of whole rows, of about {@linkcode PART_FLOATS} floats at the most.
 *
 * @param width floats of a row
 */
export function* rowParts(array: Float32Array, width: number): Generator<Float32Array> {
  const floats = width * Math.max(1, Math.floor(PART_FLOATS / width));
  for (let at = 0; at < array.length; at += floats) yield array.subarray(at, at + floats);
}
