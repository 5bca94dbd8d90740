/** Helpers for the tables of `deno task bench`. */

/** Pads on the left, for a right-aligned column. */
export function pad(value: unknown, width: number): string {
  return String(value).padStart(width);
}

/** The median; the upper one of an even number of values. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
