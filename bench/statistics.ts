/** Figures of many measurements. */

/** The median; the upper one of an even number of values. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** The values that given shares of the values do not exceed; NaN of none. */
export function percentiles(values: readonly number[], shares: readonly number[]): number[] {
  const ascending = Float64Array.from(values).sort();
  return shares.map((share) => ascending[Math.max(0, Math.ceil(share * values.length) - 1)] ?? NaN);
}

/** The slope of the least-squares line through points. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (of: (point: readonly [x: number, y: number]) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean(([x]) => x), mean(([, y]) => y)];
  return mean((p) => (p[0] - x) * (p[1] - y)) / mean((p) => (p[0] - x) ** 2);
}
