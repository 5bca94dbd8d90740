/** Windows of rows that a head learns from: an epoch's in an order of its own. */
import { below, hashOf, seeded } from "../../model/seeded.ts";
import { type HeardRecording, UNLABELLED } from "./rows.ts";

/** Rows of a window at the most. */
const WINDOW_ROWS = 200;
/** Rows of a window that begins within a recording which only fill a GRU's state. */
const WARM_UP_ROWS = 50;

/** Rows `from … to` of a recording; those from `counted` on are learned from. */
export interface Window {
  readonly heard: HeardRecording;
  readonly from: number;
  readonly to: number;
  readonly counted: number;
}

/** Windows side by side. */
export interface WindowBatch {
  readonly windows: number;
  readonly rows: number;
  /** `[T, B, W]`, standardised */
  readonly features: Float32Array;
  /** `[T · B]`: a label, 0 where there is none */
  readonly labels: Int32Array;
  /** `[T · B]`: weight of each row, 0 where it has no label or only warms up */
  readonly weights: Float32Array;
}

/** How features are shifted and scaled. */
export interface Scale {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}

/** Cuts recordings into windows that together count each row once. */
export function windowsOf(
  recordings: readonly HeardRecording[],
  { warmUp }: { warmUp: boolean },
): Window[] {
  return recordings.flatMap((heard) => {
    const windows: Window[] = [];
    for (let counted = 0; counted < heard.rows;) {
      const from = warmUp ? Math.max(0, counted - WARM_UP_ROWS) : counted;
      const to = Math.min(heard.rows, from + WINDOW_ROWS);
      if (heard.labels.subarray(counted, to).some((label) => label !== UNLABELLED)) {
        windows.push({ heard, from, to, counted });
      }
      counted = to;
    }
    return windows;
  });
}

/** How much a row of each label counts: all labels alike, and 1 in the mean. */
export function balance(recordings: readonly HeardRecording[], labels: number): Float64Array {
  const counts = new Float64Array(labels);
  let total = 0;
  for (const { labels: own } of recordings) {
    for (const label of own) {
      if (label === UNLABELLED) continue;
      counts[label]++;
      total++;
    }
  }
  return counts.map((count) => count > 0 ? total / (labels * count) : 0);
}

/** The windows of a step: a seeded order for each epoch, cut into batches. */
export function batchAt(
  windows: readonly Window[],
  { step, size, seed }: { step: number; size: number; seed: number },
): Window[] {
  const perEpoch = Math.ceil(windows.length / size);
  const [epoch, at] = [Math.floor(step / perEpoch), step % perEpoch];
  const random = seeded(hashOf(seed, "epoch", epoch));
  const order = Array.from(windows.keys());
  for (let i = order.length - 1; i > 0; i--) {
    const j = below(i + 1, random);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order.slice(at * size, (at + 1) * size).map((i) => windows[i]);
}

/** Puts windows side by side; shorter ones end with rows that count nothing. */
export function packed(
  windows: readonly Window[],
  { scale: { mean, deviation }, classWeights }: { scale: Scale; classWeights: Float64Array },
): WindowBatch {
  const [B, W] = [windows.length, mean.length];
  const T = Math.max(...windows.map(({ from, to }) => to - from));
  const features = new Float32Array(T * B * W);
  const labels = new Int32Array(T * B);
  const weights = new Float32Array(T * B);
  windows.forEach(({ heard, from, to, counted }, b) => {
    for (let row = from; row < to; row++) {
      const place = (row - from) * B + b;
      for (let i = 0; i < W; i++) {
        features[place * W + i] = (heard.data[row * W + i] - mean[i]) / deviation[i];
      }
      const label = heard.labels[row];
      if (row < counted || label === UNLABELLED) continue;
      labels[place] = label;
      weights[place] = classWeights[label];
    }
  });
  return { windows: B, rows: T, features, labels, weights };
}
