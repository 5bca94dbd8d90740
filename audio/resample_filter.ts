/** The low-pass filter of the resampler as a table of phases. */

/** A filter for one pair of rates. */
export interface Phases {
  /** The ratio in lowest terms: `up` outputs for `down` inputs. */
  readonly up: number;
  readonly down: number;
  /** Input samples on each side of an output's instant. */
  readonly halfWidth: number;
  /** `2 · halfWidth`: inputs per output. */
  readonly taps: number;
  /**
   * Phases per input sample in the table: `up` (exact), or, for awkward ratios, fewer with linear
   * interpolation between them.
   */
  readonly steps: number;
  /** [steps + 1, taps], row p is for an instant p / steps past the middle of its taps. */
  readonly table: Float64Array;
}

/** Stop-band attenuation by design. */
const ATTENUATION_DB = 104;
/**
 * Where the pass-band ends, as a share of the lower Nyquist frequency; the stop-band begins at that
 * frequency.
 */
const PASS_SHARE = 0.913;
/** Largest exact table, in entries (1 MB). */
const MAX_TABLE = 2 ** 17;
/**
 * Phases per sample of the lower rate in an interpolated table: its images are down by 20·log10((2
 * · 512)²) = 120 dB.
 */
const DENSITY = 512;
/** Most tables kept for later streams; those in use live on in their resamplers. */
const MAX_CACHED = 16;

const cache = new Map<string, Phases>();

/**
 * The filter from one rate in Hz to another, built once per pair and kept while it is among the
 * last {@linkcode MAX_CACHED} used.
 */
export function phasesFor(fromRate: number, toRate: number): Phases {
  const key = `${fromRate}>${toRate}`;
  const phases = cache.get(key) ?? buildPhases(fromRate, toRate);
  cache.delete(key);
  cache.set(key, phases);
  if (cache.size > MAX_CACHED) cache.delete(cache.keys().next().value ?? key);
  return phases;
}

/**
 * Builds the table by Kaiser's formulas: attenuation and transition width give the window's shape
 * and length.
 */
function buildPhases(fromRate: number, toRate: number): Phases {
  const divisor = greatestCommonDivisor(fromRate, toRate);
  const up = toRate / divisor;
  const down = fromRate / divisor;
  const scale = Math.min(1, toRate / fromRate); // samples of the lower rate per input sample
  const transition = (1 - PASS_SHARE) / 2; // cycles per sample of the lower rate
  // input samples on each side
  const support = (ATTENUATION_DB - 7.95) / (14.36 * transition) / 2 / scale;
  const halfWidth = Math.ceil(support);
  const taps = 2 * halfWidth;
  const cutoff = ((1 + PASS_SHARE) / 2) * scale; // of the input's Nyquist frequency
  const steps = (up + 1) * taps <= MAX_TABLE ? up : Math.max(16, Math.ceil(DENSITY * scale));
  const table = new Float64Array((steps + 1) * taps);
  for (let p = 0; p <= steps; p++) {
    const row = table.subarray(p * taps, (p + 1) * taps);
    let sum = 0;
    for (let k = 0; k < taps; k++) {
      const distance = k - halfWidth + 1 - p / steps;
      row[k] = sinc(cutoff * distance) * kaiser(distance / halfWidth);
      sum += row[k]!;
    }
    for (let k = 0; k < taps; k++) row[k]! /= sum; // every phase passes a constant unchanged
  }
  return { up, down, halfWidth, taps, steps, table };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

const BETA = 0.1102 * (ATTENUATION_DB - 8.7);

/** Kaiser window at x, zero from ±1 outwards; not divided by its maximum. */
function kaiser(x: number): number {
  return Math.abs(x) >= 1 ? 0 : besselI0(BETA * Math.sqrt(1 - x * x));
}

/** Modified Bessel function of the first kind and order 0, by its power series. */
function besselI0(x: number): number {
  const quarter = (x * x) / 4;
  let sum = 1;
  for (let term = 1, k = 1; term > sum * 1e-16; k++) {
    term *= quarter / (k * k);
    sum += term;
  }
  return sum;
}
