/**
 * The inner loops of the resampler: each output is a row of the filter's table times the signal.
 */
import type { Phases } from "./resample_filter.ts";

/**
 * Computes outputs `first … first + count`.
 *
 * @param target where they go, from index 0
 * @param options `signal`: input samples as float64; `firstKept`: index in the whole signal of
 *   `signal[0]`
 */
export function convolve(
  target: Float32Array,
  { phases: { up, down, halfWidth, taps, table, steps }, signal, firstKept, first, count }: {
    phases: Phases;
    signal: Float64Array;
    firstKept: number;
    first: number;
    count: number;
  },
): void {
  const position = first * down; // in 1/up of an input sample
  let phase = position % up;
  let start = (position - phase) / up - halfWidth + 1 - firstKept;
  const advance = () => {
    phase += down;
    const whole = Math.floor(phase / up);
    phase -= whole * up;
    start += whole;
  };
  let i = 0;
  if (steps === up) {
    // outputs n, n + up, n + 2·up, n + 3·up share a phase
    for (; count - i >= 4 * up; i += 4 * up, start += 3 * down) {
      for (let r = 0; r < up; r++, advance()) {
        const at = [start, start + down, start + 2 * down, start + 3 * down] as const;
        dotFour(table, signal, phase * taps, at, taps);
        for (let j = 0; j < 4; j++) target[i + r + j * up] = four[j]!;
      }
    }
    for (; i < count; i++, advance()) target[i] = dot(table, signal, phase * taps, start, taps);
  } else {
    for (; i < count; i++, advance()) {
      const place = (phase / up) * steps;
      const below = Math.floor(place);
      target[i] = dotBetween(table, signal, below * taps, start, taps, place - below);
    }
  }
}

/** Inner product of a row of the table and the signal, always summed in the same order. */
function dot(
  table: Float64Array,
  signal: Float64Array,
  rowAt: number,
  at: number,
  taps: number,
): number {
  let sum = 0;
  for (let k = 0; k < taps; k++) sum += table[rowAt + k]! * signal[at + k]!;
  return sum;
}

const four = new Float64Array(4);

/**
 * Four {@linkcode dot} products with one row, into {@linkcode four}: twice as fast, and
 * bit-identical.
 */
function dotFour(
  table: Float64Array,
  signal: Float64Array,
  rowAt: number,
  at: readonly [number, number, number, number],
  taps: number,
): void {
  const [a, b, c, d] = at;
  let sumA = 0, sumB = 0, sumC = 0, sumD = 0;
  for (let k = 0; k < taps; k++) {
    const weight = table[rowAt + k]!;
    sumA += weight * signal[a + k]!;
    sumB += weight * signal[b + k]!;
    sumC += weight * signal[c + k]!;
    sumD += weight * signal[d + k]!;
  }
  four[0] = sumA;
  four[1] = sumB;
  four[2] = sumC;
  four[3] = sumD;
}

/**
 * {@linkcode dot} with a row interpolated `share` of the way from one row of the table to the next.
 */
function dotBetween(
  table: Float64Array,
  signal: Float64Array,
  rowAt: number,
  at: number,
  taps: number,
  share: number,
): number {
  const nextAt = rowAt + taps;
  let below = 0, above = 0;
  for (let k = 0; k < taps; k++) {
    below += table[rowAt + k]! * signal[at + k]!;
    above += table[nextAt + k]! * signal[at + k]!;
  }
  return below + share * (above - below);
}
