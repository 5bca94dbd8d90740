/**
 * Confidence intervals by resampling whole speakers, since utterances of one speaker are not
 * independent (Efron and Tibshirani 1993).
 */
import { below, seeded } from "../../model/seeded.ts";

/** A figure and its 95 % interval. */
export interface Estimate {
  readonly value: number;
  /** Undefined for fewer than 2 speakers. */
  readonly interval?: readonly [low: number, high: number];
  /** What the figure is made of. */
  readonly count: number;
  readonly speakers: number;
}

const RESAMPLES = 1000;
const TAIL = 0.025;

/**
 * Percentile interval of a statistic over resampled clusters.
 *
 * @param clusters the number of clusters; each resample draws as many, with replacement
 * @param statistic of a resample, given how often each cluster was drawn; a resample without a
 *   value (NaN) is left out
 * @returns undefined for fewer than 2 clusters, or when no resample has a value
 */
export function bootstrapInterval(
  clusters: number,
  statistic: (times: Float64Array) => number,
  { resamples = RESAMPLES, seed = 1 }: { resamples?: number; seed?: number } = {},
): [number, number] | undefined {
  if (clusters < 2) return undefined;
  const random = seeded(seed);
  const times = new Float64Array(clusters);
  const values: number[] = [];
  for (let i = 0; i < resamples; i++) {
    times.fill(0);
    for (let j = 0; j < clusters; j++) times[below(clusters, random)]++;
    const value = statistic(times);
    if (!Number.isNaN(value)) values.push(value);
  }
  if (values.length === 0) return undefined;
  values.sort((a, b) => a - b);
  const at = (share: number) => values[Math.round(share * (values.length - 1))];
  return [at(TAIL), at(1 - TAIL)];
}

/** Mean of values, each of which belongs to a speaker, with its interval. */
export function meanOverSpeakers(values: ArrayLike<number>, speakers: readonly string[]): Estimate {
  const { names, indices } = indexed(speakers);
  const [sums, counts] = [new Float64Array(names.length), new Float64Array(names.length)];
  for (let i = 0; i < values.length; i++) {
    sums[indices[i]] += values[i];
    counts[indices[i]]++;
  }
  const mean = (times?: Float64Array) => {
    let [sum, count] = [0, 0];
    for (let s = 0; s < names.length; s++) {
      sum += sums[s] * (times?.[s] ?? 1);
      count += counts[s] * (times?.[s] ?? 1);
    }
    return sum / count;
  };
  return {
    value: mean(),
    interval: bootstrapInterval(names.length, mean),
    count: values.length,
    speakers: names.length,
  };
}

/** Names in order of appearance, and the index of each item's name. */
export function indexed(items: readonly string[]): { names: string[]; indices: Int32Array } {
  const places = new Map<string, number>();
  const indices = Int32Array.from(items, (name) => {
    if (!places.has(name)) places.set(name, places.size);
    return places.get(name) as number;
  });
  return { names: [...places.keys()], indices };
}
