/** The README.md of a trained head. */
import type { EventFigures } from "../../evaluation/metrics/events.ts";
import type { Estimate } from "../../evaluation/metrics/intervals.ts";

/** What a card says. */
export interface HeadCard {
  readonly name: string;
  readonly model: string;
  readonly input: string;
  readonly type: string;
  readonly hidden?: number;
  readonly every: number;
  readonly rowsPerSecond: number;
  readonly labels: readonly string[];
  readonly positive?: string;
  readonly augmentation: string;
  readonly minutes: { readonly train: number; readonly heldOut: number };
  readonly heldOutBy: string;
  readonly steps: number;
  readonly bestStep: number;
  readonly parameters: number;
  readonly seed: number;
  /** Sets of rows with their figures. */
  readonly figures: readonly FigureRow[];
  readonly events: readonly EventRow[];
}

/** An event's figures on a set of rows. */
export interface EventRow extends EventFigures {
  readonly set: string;
}

/** An event's figures, as text. */
export function shownEvent({ spans, found, falseAlarms, hours, delayS }: EventFigures): string {
  const figures = `${found} of ${spans} spans, ${(falseAlarms / hours).toFixed(1)} ` +
    "false alarms an hour";
  return found > 0 ? `${figures}, decided after ${delayS.toFixed(2)} s (median)` : figures;
}

/** A figure of a set of rows. */
export interface FigureRow {
  readonly set: string;
  readonly name: string;
  readonly estimate: Estimate;
}

/** A figure and its interval, as text. */
export function shown({ value, interval }: Estimate): string {
  if (Number.isNaN(value)) return "–";
  return interval
    ? `${value.toFixed(3)} (${interval[0].toFixed(3)}–${interval[1].toFixed(3)})`
    : value.toFixed(3);
}

/** Markdown. */
export function headCard(card: HeadCard): string {
  const kind = card.type === "linear" ? "linear" : `${card.type} of ${card.hidden}`;
  const answers = card.positive
    ? `the probability of \`${card.positive}\``
    : `the probabilities of ${card.labels.map((label) => `\`${label}\``).join(", ")}`;
  const lines = [
    "---",
    `name: ${JSON.stringify(card.name)}`,
    `model: ${JSON.stringify(card.model)}`,
    `input: ${card.input}`,
    `type: ${card.type}`,
    `parameters: ${card.parameters}`,
    "---",
    "",
    `# ${card.name}`,
    "",
    `A head (${kind}) on the ${card.input} of ${card.model}: ${answers}, ` +
    `${card.rowsPerSecond} rows a second.`,
    "",
    "| | |",
    "| --- | --- |",
    `| labels | ${card.labels.join(", ")} |`,
    `| frames of a row | ${card.every} |`,
    `| parameters | ${card.parameters} |`,
    `| learned from | ${card.minutes.train.toFixed(1)} min with labels, copies included |`,
    `| held out, by ${card.heldOutBy} | ${card.minutes.heldOut.toFixed(1)} min, copies included |`,
    `| copies | ${card.augmentation} |`,
    `| steps | ${card.steps}; the weights are those of step ${card.bestStep} |`,
    `| seed | ${card.seed} |`,
    "",
    "Figures over rows, with 95 % intervals by resampling speakers or recordings:",
    "",
    "| rows | figure | value |",
    "| --- | --- | --- |",
    ...card.figures.map(({ set, name, estimate }) => `| ${set} | ${name} | ${shown(estimate)} |`),
    ...card.events.map((row) => `| ${row.set} | events of ${row.event} | ${shownEvent(row)} |`),
    "",
  ];
  return lines.join("\n");
}
