/** Helpers for the tables of `deno task bench`. */

/** Pads on the left, for a right-aligned column. */
export function pad(value: unknown, width: number): string {
  return String(value).padStart(width);
}

/**
 * Lines of a table whose columns are as wide as their widest cell, two spaces apart: the first
 * column is left-aligned, the others are right-aligned.
 */
export function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, cell.length));
  }
  return rows.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : pad(cell, widths[i])).join("  ")
  );
}
