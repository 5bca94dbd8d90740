/**
 * Speaker verification: are two utterances by one speaker? All pairs of utterances, scored by the
 * cosine of their vectors.
 */
import { bootstrapInterval, type Estimate, indexed } from "./intervals.ts";

/** Pairs of utterances, the most alike first. */
export interface Trials {
  readonly scores: Float64Array;
  /** The speakers of both utterances, as indices. */
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly speakers: number;
}

/** Every pair of utterances. */
export function allPairs(vectors: readonly Float32Array[], speakers: readonly string[]): Trials {
  const { names, indices } = indexed(speakers);
  const units = vectors.map(unit);
  const count = vectors.length * (vectors.length - 1) / 2;
  const scores = new Float64Array(count);
  const [left, right] = [new Int32Array(count), new Int32Array(count)];
  for (let i = 0, at = 0; i < units.length; i++) {
    for (let j = i + 1; j < units.length; j++, at++) {
      scores[at] = dot(units[i], units[j]);
      [left[at], right[at]] = [indices[i], indices[j]];
    }
  }
  const order = Int32Array.from(scores, (_, i) => i).sort((a, b) => scores[b] - scores[a]);
  return {
    scores: Float64Array.from(order, (i) => scores[i]),
    left: Int32Array.from(order, (i) => left[i]),
    right: Int32Array.from(order, (i) => right[i]),
    speakers: names.length,
  };
}

/**
 * Walks the thresholds from refusing all to accepting all.
 *
 * @param visit receives the share of different-speaker pairs accepted, and the share of
 *   same-speaker pairs refused; returning true ends the walk
 * @param times how often each speaker counts, once by default; a pair of speakers counts the
 *   product
 */
function walkThresholds(
  { scores, left, right }: Trials,
  visit: (falseAlarms: number, misses: number) => boolean | void,
  times?: Float64Array,
): void {
  const weight = (i: number) =>
    !times ? 1 : left[i] === right[i] ? times[left[i]] : times[left[i]] * times[right[i]];
  let [same, other] = [0, 0];
  for (let i = 0; i < scores.length; i++) {
    if (left[i] === right[i]) same += weight(i);
    else other += weight(i);
  }
  let [accepted, alarms] = [0, 0];
  if (visit(0, 1)) return;
  for (let i = 0; i < scores.length; i++) {
    if (left[i] === right[i]) accepted += weight(i);
    else alarms += weight(i);
    // no threshold lies between equals
    if (scores[i] !== scores[i + 1] && visit(alarms / other, 1 - accepted / same)) return;
  }
}

/**
 * The rate at which both errors are equal, interpolated linearly between thresholds; NaN without
 * pairs of both kinds.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { allPairs, equalErrorRate } from "./verification.ts";
 *
 * const vectors = [[1, 0], [1, 0.1], [0, 1], [0.1, 1]].map((x) => Float32Array.from(x));
 * assert.equal(equalErrorRate(allPairs(vectors, ["ann", "ann", "bob", "bob"])), 0);
 * ```
 */
export function equalErrorRate(trials: Trials, times?: Float64Array): number {
  let [alarmsBefore, missesBefore, rate] = [0, 1, NaN];
  walkThresholds(trials, (falseAlarms, misses) => {
    const gap = falseAlarms - misses;
    if (gap >= 0) {
      const earlier = missesBefore - alarmsBefore;
      rate = alarmsBefore + (falseAlarms - alarmsBefore) * earlier / (earlier + gap);
      return true;
    }
    [alarmsBefore, missesBefore] = [falseAlarms, misses];
  }, times);
  return rate;
}

/**
 * The detection error trade-off: misses by false alarms, thinned to steps of a hundredth of a
 * decade or so.
 */
export function detCurve(trials: Trials): [falseAlarms: number, misses: number][] {
  const points: [number, number][] = [];
  let last: [number, number] | undefined;
  walkThresholds(trials, (falseAlarms, misses) => {
    const isNear = last && Math.abs(falseAlarms - last[0]) < 0.02 * last[0] &&
      Math.abs(misses - last[1]) < 0.02 * last[1];
    if (!isNear) points.push(last = [falseAlarms, misses]);
  });
  return points;
}

/** The equal error rate, with its interval over speakers. */
export function verify(trials: Trials): Estimate {
  return {
    value: equalErrorRate(trials),
    interval: bootstrapInterval(trials.speakers, (times) => equalErrorRate(trials, times)),
    count: trials.scores.length,
    speakers: trials.speakers,
  };
}

/** Scales a vector to length 1; zeros stay zeros. */
export function unit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(dot(vector, vector));
  return length === 0 ? vector : vector.map((x) => x / length);
}

/** a · b in float64. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
