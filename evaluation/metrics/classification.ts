/**
 * Accuracy, F1 and ROC-AUC of labelled rows, with intervals over what rows have in common: their
 * speaker or recording.
 *
 * Legend: N rows, L labels, G groups.
 */
import { bootstrapInterval, type Estimate } from "./intervals.ts";

/** Labelled rows and what a classifier says of them. */
export interface Scored {
  /** `[N]`, 0 … L − 1 */
  readonly labels: Int32Array;
  /** `[N, L]` */
  readonly scores: Float32Array;
  readonly classes: number;
  /** `[N]`, 0 … G − 1 */
  readonly groups: Int32Array;
  readonly groupCount: number;
}

/** Share of rows whose highest score is that of their label. */
export function accuracy(scored: Scored): Estimate {
  const { confusion } = counted(scored);
  return estimate(scored, (times) => {
    let [right, all] = [0, 0];
    for (const [g, own] of confusion.entries()) {
      for (let at = 0; at < own.length; at++) {
        const count = own[at] * (times?.[g] ?? 1);
        all += count;
        if (Math.floor(at / scored.classes) === at % scored.classes) right += count;
      }
    }
    return right / all;
  });
}

/** F1 of one label, or the mean over all labels that occur. */
export function f1(scored: Scored, label?: number): Estimate {
  const { classes: L } = scored;
  const { confusion } = counted(scored);
  const wanted = label === undefined ? Array.from({ length: L }, (_, i) => i) : [label];
  return estimate(scored, (times) => {
    const sum = new Float64Array(L * L); // [label, found]
    for (const [g, own] of confusion.entries()) {
      const weight = times?.[g] ?? 1;
      for (let at = 0; at < own.length; at++) sum[at] += weight * own[at];
    }
    const each = wanted.map((l) => {
      let [had, found] = [0, 0];
      for (let i = 0; i < L; i++) {
        had += sum[l * L + i];
        found += sum[i * L + l];
      }
      return had + found === 0 ? NaN : 2 * sum[l * L + l] / (had + found);
    }).filter((value) => !Number.isNaN(value));
    return each.reduce((a, b) => a + b, 0) / each.length;
  });
}

/**
 * The area under the receiver's curve of one label: the share of pairs of a row with it and one
 * without it in which the former has the higher score, half of the ties; NaN without such pairs.
 */
export function rocAuc(scored: Scored, label: number): Estimate {
  const { labels, scores, classes: L, groups } = scored;
  const order = Int32Array.from(labels.keys()).sort((a, b) =>
    scores[a * L + label] - scores[b * L + label]
  );
  const sorted = Float32Array.from(order, (i) => scores[i * L + label]);
  const isIn = Uint8Array.from(order, (i) => labels[i] === label ? 1 : 0);
  const group = Int32Array.from(order, (i) => groups[i]);
  return estimate(scored, (times) => {
    let [below, inside, area] = [0, 0, 0];
    for (let from = 0; from < sorted.length;) {
      let [tiedIn, tiedOut, to] = [0, 0, from];
      for (; to < sorted.length && sorted[to] === sorted[from]; to++) {
        const weight = times?.[group[to]] ?? 1;
        if (isIn[to]) tiedIn += weight;
        else tiedOut += weight;
      }
      area += tiedIn * (below + tiedOut / 2);
      below += tiedOut;
      inside += tiedIn;
      from = to;
    }
    return area / (below * inside);
  });
}

/** Rows of each label that were taken for each label, by group: `[G][L · L]`. */
function counted({ labels, scores, classes: L, groups, groupCount }: Scored) {
  const confusion = Array.from({ length: groupCount }, () => new Float64Array(L * L));
  labels.forEach((label, i) => {
    let best = 0;
    for (let l = 1; l < L; l++) if (scores[i * L + l] > scores[i * L + best]) best = l;
    confusion[groups[i]][label * L + best]++;
  });
  return { confusion };
}

function estimate(
  { labels, groupCount }: Scored,
  statistic: (times?: Float64Array) => number,
): Estimate {
  return {
    value: statistic(),
    interval: bootstrapInterval(groupCount, statistic, { resamples: 400 }),
    count: labels.length,
    speakers: groupCount,
  };
}
