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

/** More points than that are thinned out evenly before their slopes are taken. */
const MOST_POINTS = 1000;

/**
 * The median slope between two points (Theil and Sen): peaks do not move it, as garbage that waits
 * for a collection makes them. Points are in the order of x; NaN of fewer than two.
 */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const every = Math.ceil(points.length / MOST_POINTS);
  const some = points.filter((_, i) => i % every === 0);
  const slopes = some.flatMap(([x, y], i) => some.slice(i + 1).map(([u, v]) => (v - y) / (u - x)));
  const [middle] = percentiles(slopes, [0.5]);
  return middle;
}
