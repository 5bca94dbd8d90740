/** What a head is to be: its labels, its copies, and what a run of it depends on. */
import { UsageError } from "../../errors.ts";
import { type LabelledData, labelsOf } from "../../training/heads/labels.ts";
import type { DataSet } from "../../training/manifest.ts";
import type { HeadFlags } from "./options.ts";

/** What a row that is not the positive label is called. */
const OTHER = "other";

/** What the options and the labels say about the head, before anything is computed. */
export function planOf(flags: HeadFlags, data: LabelledData) {
  const all = labelsOf(data.recordings);
  const { positive, events } = flags;
  for (const label of [positive ?? [], events].flat()) {
    if (all.includes(label)) continue;
    throw new UsageError(`no row has the label ${label}: the labels are ${all.join(", ")}`);
  }
  if (positive && events.length > 0) {
    throw new UsageError("--positive sends events of its label: leave --event out");
  }
  const labels = positive ? [positive, OTHER] : all;
  const classes = new Map(all.map((label) => [label, classOf(label, labels)]));
  const noises = flags.noise ?? [];
  const augmentation = {
    noises,
    copies: flags.copies ?? (noises.length > 0 ? 2 : 0),
    snrDb: flags.snr,
    levelDb: flags.level,
  };
  const { type, input, every, hidden, seed, batch, rate, steps, patience } = flags;
  const making = {
    ...{ type, input, every, hidden, seed, batch, rate, steps, patience, labels, augmentation },
    data: data.recordings.map(({ path, speaker, split, spans }) => [path, speaker, split, spans]),
  };
  return { labels, positive, events, classes, augmentation, making };
}
/** It. */
export type HeadPlan = ReturnType<typeof planOf>;

function classOf(label: string, labels: readonly string[]): number {
  const at = labels.indexOf(label);
  return at < 0 ? labels.length - 1 : at;
}

/** Each recording once, to its end. */
export function dataSetOf({ root, recordings }: LabelledData): DataSet {
  const segments = recordings.map(({ path }) => ({
    path,
    startSample: 0,
    samples: 0,
    speaker: "",
    source: "",
    text: "",
    split: "train" as const,
  }));
  return { root, segments };
}
