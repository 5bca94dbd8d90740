/** Measures a finished head, by running it as it will be served. */
import { accuracy, f1, rocAuc, type Scored } from "../../evaluation/metrics/classification.ts";
import { eventFigures } from "../../evaluation/metrics/events.ts";
import { indexed } from "../../evaluation/metrics/intervals.ts";
import type { HeadHearing } from "../../training/heads/hearing.ts";
import { type HeardRecording, UNLABELLED } from "../../training/heads/rows.ts";
import type { EventRow, FigureRow } from "./card.ts";

/** Figures of a head on recordings. */
export async function measureHead(
  head: HeadHearing,
  recordings: readonly HeardRecording[],
  { set, width, labels, positive, hopSamples }: {
    /** Name of the recordings, for the tables. */
    set: string;
    width: number;
    labels: readonly string[];
    positive: boolean;
    /** Of the model, at 16 kHz. */
    hopSamples: number;
  },
): Promise<{ figures: FigureRow[]; events: EventRow[] }> {
  const given = await head.hear(recordings.map(({ data }) => data), width);
  const heard = recordings.map(({ labels }, i) => ({ labels, values: given[i] }));
  const events = eventFigures(heard, head.spec, { hopSamples });
  return {
    figures: figuresOf(recordings, given, { set, labels, positive }),
    events: events.map((figures) => ({ set, ...figures })),
  };
}

function figuresOf(
  recordings: readonly HeardRecording[],
  given: readonly Float32Array[],
  { set, labels, positive }: { set: string; labels: readonly string[]; positive: boolean },
): FigureRow[] {
  const scored = scoredOf(recordings, given, { classes: labels.length, positive });
  if (positive) {
    return [
      { set, name: `F1 of ${labels[0]} at 0.5`, estimate: f1(scored, 0) },
      { set, name: "accuracy at 0.5", estimate: accuracy(scored) },
      { set, name: "ROC-AUC", estimate: rocAuc(scored, 0) },
    ];
  }
  return [
    { set, name: "accuracy", estimate: accuracy(scored) },
    { set, name: "F1, mean of labels", estimate: f1(scored) },
    ...labels.length > 12 ? [] : labels.map((label, i) => ({
      set,
      name: `ROC-AUC of ${label}`,
      estimate: rocAuc(scored, i),
    })),
  ];
}

function scoredOf(
  recordings: readonly HeardRecording[],
  given: readonly Float32Array[],
  { classes, positive }: { classes: number; positive: boolean },
): Scored {
  const rows = recordings.flatMap(({ labels, group }, i) =>
    [...labels.entries()].filter(([, label]) => label !== UNLABELLED)
      .map(([row, label]) => ({ i, row, label, group }))
  );
  const { names, indices } = indexed(rows.map(({ group }) => group));
  const scores = new Float32Array(rows.length * classes);
  rows.forEach(({ i, row }, n) => {
    if (positive) {
      scores[n * classes] = given[i][row];
      scores[n * classes + 1] = 1 - given[i][row];
    } else scores.set(given[i].subarray(row * classes, (row + 1) * classes), n * classes);
  });
  return {
    labels: Int32Array.from(rows, ({ label }) => label),
    scores,
    classes,
    groups: indices,
    groupCount: names.length,
  };
}
