/** Rows that a head learns from: features of a recording, a label per row, and who is held out. */
import { hashOf } from "../../model/seeded.ts";
import type { LabelledRecording, LabelledSpan } from "./labels.ts";

/** A row without a label. */
export const UNLABELLED = -1;
/** Speakers or recordings held out, one in so many. */
const HELD_OUT_ONE_IN = 5;

/** A recording, or a noisy copy of it, as a head hears it. Legend: R rows, W row width. */
export interface HeardRecording {
  readonly path: string;
  /** Whose rows belong together in intervals and when some are held out. */
  readonly group: string;
  /** `[R, W]` */
  readonly data: Float32Array;
  /** `[R]`: indices of labels, or {@linkcode UNLABELLED} */
  readonly labels: Int32Array;
  readonly rows: number;
}

/**
 * The label of each row: that of the span which holds its middle.
 *
 * @param options `rowS`: seconds of a row; `classes`: index of a label
 * @returns `[rows]`
 */
export function rowLabels(
  spans: readonly LabelledSpan[],
  { rows, rowS, classes }: { rows: number; rowS: number; classes: ReadonlyMap<string, number> },
): Int32Array {
  const labels = new Int32Array(rows).fill(UNLABELLED);
  for (const { start, end, label } of spans) {
    const from = Math.max(0, Math.ceil(start / rowS - 0.5));
    const to = end === Infinity ? rows : Math.min(rows, Math.ceil(end / rowS - 0.5));
    labels.fill(classes.get(label) ?? UNLABELLED, from, Math.max(from, to));
  }
  return labels;
}

/** Which recordings to learn from, and which to hold out. */
export interface HoldOut {
  /** `time`: the last fifth of each recording, since nothing else can be held out. */
  readonly by: "split" | "speaker" | "recording" | "time";
  /** Paths. */
  readonly heldOut: ReadonlySet<string>;
  readonly test: ReadonlySet<string>;
}

/**
 * Holds out as the CSV file says; else one speaker in five, or one recording in five where speakers
 * are not known. A label never loses its last speaker or recording to this.
 */
export function holdOut(recordings: readonly LabelledRecording[], seed: number): HoldOut {
  const of = (split: string) =>
    new Set(recordings.filter((one) => one.split === split).map(({ path }) => path));
  const [dev, test] = [of("dev"), of("test")];
  if (dev.size > 0) return { by: "split", heldOut: dev, test };
  const free = recordings.filter(({ path }) => !test.has(path));
  const bySpeaker = new Set(free.map(({ speaker }) => speaker)).size > 1;
  const groupOf = ({ path, speaker }: LabelledRecording) => bySpeaker ? speaker : path;
  const groups = [...Map.groupBy(free, groupOf)]
    .sort(([a], [b]) => hashOf(seed, a) - hashOf(seed, b));
  const left = new Map<string, number>(); // groups that a label still has
  const labelsIn = (own: readonly LabelledRecording[]) =>
    new Set(own.flatMap(({ spans }) => spans.map(({ label }) => label)));
  for (const [, own] of groups) {
    for (const label of labelsIn(own)) left.set(label, (left.get(label) ?? 0) + 1);
  }
  const heldOut = new Set<string>();
  let wanted = Math.ceil(groups.length / HELD_OUT_ONE_IN);
  for (const [, own] of groups) {
    const labels = labelsIn(own);
    if (wanted === 0) break;
    if ([...labels].some((label) => left.get(label) === 1)) continue;
    for (const label of labels) left.set(label, left.get(label)! - 1);
    for (const { path } of own) heldOut.add(path);
    wanted--;
  }
  if (heldOut.size === 0) return { by: "time", heldOut, test };
  return { by: bySpeaker ? "speaker" : "recording", heldOut, test };
}

/** The parts of a recording before and after four fifths of its rows. */
export function cutInTime(heard: HeardRecording): [HeardRecording, HeardRecording] {
  const at = heard.rows - Math.floor(heard.rows / HELD_OUT_ONE_IN);
  const width = heard.data.length / heard.rows;
  const part = (from: number, to: number): HeardRecording => ({
    ...heard,
    data: heard.data.subarray(from * width, to * width),
    labels: heard.labels.subarray(from, to),
    rows: to - from,
  });
  return [part(0, at), part(at, heard.rows)];
}

/**
 * Mean and deviation of each feature over recordings, in float64; a feature that never changes has
 * the deviation 1.
 */
export function scaleOf(
  recordings: readonly HeardRecording[],
  width: number,
): { mean: Float64Array; deviation: Float64Array } {
  const [mean, square] = [new Float64Array(width), new Float64Array(width)];
  let rows = 0;
  for (const { data, rows: own } of recordings) {
    rows += own;
    for (let at = 0; at < data.length;) {
      for (let i = 0; i < width; i++, at++) {
        mean[i] += data[at];
        square[i] += data[at] * data[at];
      }
    }
  }
  const deviation = square.map((sum, i) => {
    mean[i] /= rows;
    const variance = sum / rows - mean[i] ** 2;
    return variance > 1e-9 * (mean[i] ** 2 + 1e-9) ? Math.sqrt(variance) : 1;
  });
  return { mean, deviation };
}
