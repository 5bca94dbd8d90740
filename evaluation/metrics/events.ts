/** How often a head's events come when they should, and when they should not. */
import { EventFollower } from "../../model/heads/events.ts";
import { type HeadSpec, rowSeconds } from "../../model/heads/spec.ts";

/** An event this long after the end of its span still belongs to it, in seconds. */
const LATE_S = 0.5;

/** What a head says of a recording. Legend: R rows, W numbers of a row. */
export interface EventRows {
  /** `[R, W]` */
  readonly values: Float32Array;
  /** `[R]`: the label of each row, negative where it has none */
  readonly labels: Int32Array;
}

/** Figures of one event. */
export interface EventFigures {
  readonly event: string;
  /** Spans of its label. */
  readonly spans: number;
  /** Those in which it began. */
  readonly found: number;
  /** Times it began elsewhere. */
  readonly falseAlarms: number;
  readonly hours: number;
  /** Median time from a span's first labelled row to the decision, in seconds. */
  readonly delayS: number;
}

/**
 * Figures of each event of a head whose first output has a number for each label.
 *
 * A span is a run of rows with the event's label, and the rows without a label around it.
 *
 * @param options `hopSamples`: of the model, at 16 kHz
 */
export function eventFigures(
  recordings: readonly EventRows[],
  spec: HeadSpec,
  { hopSamples }: { hopSamples: number },
): EventFigures[] {
  const rowS = rowSeconds(spec, { hopSamples });
  const rows = recordings.reduce((sum, { labels }) => sum + labels.length, 0);
  const begun = recordings.map((one) => startsOf(one, spec, hopSamples));
  return spec.events.map(({ event, index }) => {
    let [spans, found, falseAlarms] = [0, 0, 0];
    const delays: number[] = [];
    recordings.forEach(({ labels }, i) => {
      const own = begun[i].filter((start) => start.event === event);
      const belongs = new Set<number>();
      for (const { from, labelled, to } of runsOf(labels, index)) {
        const last = to + Math.round(LATE_S / rowS);
        const inside = own.filter(({ row, decided }) => decided >= from && row < last);
        for (const { decided } of inside) belongs.add(decided);
        spans++;
        if (inside.length === 0) continue;
        found++;
        delays.push((inside[0].decided + 1 - labelled) * rowS);
      }
      falseAlarms += own.filter(({ decided }) => !belongs.has(decided)).length;
    });
    delays.sort((a, b) => a - b);
    const delayS = delays[Math.floor(delays.length / 2)] ?? NaN;
    return { event, spans, found, falseAlarms, hours: rows * rowS / 3600, delayS };
  });
}

function startsOf({ values, labels }: EventRows, spec: HeadSpec, hopSamples: number) {
  const follower = new EventFollower(spec, { hopSamples });
  const width = values.length / labels.length;
  return Array.from(labels.keys()).flatMap((row) =>
    follower.hear(row, values.subarray(row * width, (row + 1) * width))
  ).filter(({ state }) => state === "start");
}

/** Runs of a label: the first row that belongs, the first with the label, and the row after. */
function runsOf(labels: Int32Array, label: number) {
  const runs: { from: number; labelled: number; to: number }[] = [];
  for (let row = 0; row < labels.length; row++) {
    if (labels[row] !== label) continue;
    let [from, to] = [row, row];
    while (from > 0 && labels[from - 1] < 0) from--;
    while (to < labels.length && labels[to] === label) to++;
    const end = to;
    while (to < labels.length && labels[to] < 0) to++;
    runs.push({ from, labelled: row, to });
    row = end;
  }
  return runs;
}
