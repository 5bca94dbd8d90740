/** Axes of charts: how values map to places, and where the ticks are. */

/**
 * How values map to places on an axis. `probit` uses quantiles of the normal distribution, for
 * rates in (0, 1).
 */
export type Scale = "linear" | "probit";

/** One axis. */
export interface Axis {
  readonly scale?: Scale;
  /**
   * Lowest and highest value shown; by default those of the data (and 0, on a linear y axis of
   * bars).
   */
  readonly range?: readonly [number, number];
  /** Writes the axis's numbers as percentages of 1. */
  readonly percent?: boolean;
}

/** An axis laid over pixels. */
export interface Ruler {
  readonly ticks: readonly number[];
  place(value: number): number;
  format(value: number): string;
}

/**
 * Lays an axis over pixels.
 *
 * @param span `values`: those to show; `from` and `to`: the pixels of its ends
 */
export function ruler(
  { scale = "linear", range, percent }: Axis,
  span: { values: readonly number[]; from: number; to: number },
): Ruler {
  const values = span.values.filter((value) => placeable(value, scale));
  const lowest = values.reduce((a, b) => Math.min(a, b), Infinity);
  const highest = values.reduce((a, b) => Math.max(a, b), -Infinity);
  let [low, high] = range ?? (values.length ? [lowest, highest] : [1 / 4, 3 / 4]);
  if (low === high) {
    [low, high] = scale === "linear" ? [low - 0.5, high + 0.5] : [low / 1.5, high * 1.5];
  }
  const ticks = ticksOf(scale, low, high);
  if (!range && scale === "linear") {
    [low, high] = [Math.min(low, ...ticks), Math.max(high, ...ticks)];
  }
  const [a, b] = [warp(low, scale), warp(high, scale)];
  return {
    ticks: ticks.filter((tick) => tick >= low && tick <= high),
    place: (value) => span.from + (span.to - span.from) * (warp(value, scale) - a) / (b - a),
    format: (value) =>
      percent ? `${Number((100 * value).toPrecision(3))} %` : `${Number(value.toPrecision(4))}`,
  };
}

function ticksOf(scale: Scale, low: number, high: number): number[] {
  if (scale === "probit") {
    return [
      0.001,
      0.002,
      0.005,
      0.01,
      0.02,
      0.05,
      0.1,
      0.2,
      0.3,
      0.4,
      0.5,
      0.6,
      0.7,
      0.8,
      0.9,
      0.95,
      0.99,
    ];
  }
  const rough = (high - low) / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5].find((nice) => nice * power >= rough) ?? 10);
  const [first, last] = [Math.floor(low / step + 1e-9), Math.ceil(high / step - 1e-9)];
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/** Whether a value has a place on an axis. */
export function placeable(value: number, scale: Scale = "linear"): boolean {
  return Number.isFinite(value) && (scale === "linear" || value > 0 && value < 1);
}

function warp(value: number, scale: Scale): number {
  return scale === "probit" ? probit(value) : value;
}

/** The normal quantile of p in (0, 1), by bisection of [−6, 6]. */
export function probit(p: number): number {
  let [low, high] = [-6, 6];
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The normal distribution function, by Abramowitz and Stegun's 7.1.26 (|error| < 1.5e-7). */
function normalCdf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x) / Math.SQRT2);
  const poly = t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = poly * Math.exp(-x * x / 2) / 2;
  return x < 0 ? tail : 1 - tail;
}
