/** What the tables of `deno task bench` share. */

/** To the right, in a column. */
export function pad(value: unknown, width: number): string {
  return String(value).padStart(width);
}

/** The middle of the sorted values; of an even number, the upper of the two. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
