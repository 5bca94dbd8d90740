/** Sums over floats, in float64. */

/** Floats of either precision. */
export type Floats = Float32Array | Float64Array;

/** log Σ eˣ; −∞ is allowed, but not for all of them. */
export function logSumExp(values: Floats): number {
  let max = -Infinity;
  for (const x of values) if (x > max) max = x;
  let sum = 0;
  for (const x of values) sum += Math.exp(x - max);
  return max + Math.log(sum);
}

/** Σ left[a + i] · right[b + i] over `width` floats. */
export function dot(
  left: Floats,
  right: Floats,
  { a, b, width }: { a: number; b: number; width: number },
): number {
  let [even, odd] = [0, 0];
  let i = 0;
  for (; i + 1 < width; i += 2) {
    even += left[a + i]! * right[b + i]!;
    odd += left[a + i + 1]! * right[b + i + 1]!;
  }
  if (i < width) even += left[a + i]! * right[b + i]!;
  return even + odd;
}
