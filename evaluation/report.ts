/** Writes an evaluation as Markdown tables and charts. */
import type { Estimate } from "./metrics/intervals.ts";
import { type Bar, barChart, lineChart } from "../formats/svg.ts";
import type { PredictionFigures } from "./prediction.ts";
import type { Compared, WordFigures } from "./tasks.ts";

/** Figures of one task, one system, one set of recordings. */
export type Result =
  & { readonly system: string; readonly set: string }
  & (
    | {
      readonly task: "verification";
      readonly figures: Compared;
      readonly det: [number, number][];
    }
    | { readonly task: "identification"; readonly figures: Compared }
    | { readonly task: "words"; readonly figures: WordFigures; readonly chance: number }
    | {
      readonly task: "abx";
      readonly figures: { readonly within: Compared; readonly across: Compared };
    }
    | { readonly task: "nce"; readonly figures: PredictionFigures }
  );

type Of<Task extends Result["task"]> = Extract<Result, { task: Task }>;

/** Names of sources in prose. */
const SET_NAMES: Record<string, string> = {
  librispeech: "LibriSpeech",
  speech_commands: "Speech Commands",
  arabic_speech_commands: "Arabic Speech Commands",
};

/** The tables, and the charts beside them. */
export interface Report {
  readonly markdown: string;
  /** SVG by file name. */
  readonly charts: ReadonlyMap<string, string>;
}

/**
 * @param options `charts`: the folder of the charts, relative to the page, such as `evaluation/`
 */
export function report(results: readonly Result[], { charts: folder }: { charts: string }): Report {
  const charts = new Map<string, string>();
  const show = (file: string, alt: string, svg: string) => {
    charts.set(file, svg);
    return `![${alt}](${folder}${file})`;
  };
  const sections = [
    verification(only(results, "verification"), show),
    identification(only(results, "identification")),
    words(only(results, "words"), show),
    abx(only(results, "abx"), show),
    nce(only(results, "nce"), show),
  ];
  return { markdown: sections.filter(Boolean).join("\n\n"), charts };
}

type Show = (file: string, alt: string, svg: string) => string;

function verification(results: Of<"verification">[], show: Show): string {
  if (results.length === 0) return "";
  const sets = unique(results, ({ set }) => set);
  const chart = show(
    "verification.svg",
    `misses by false alarms of each kind of feature, ${nameOf(sets[0])}`,
    lineChart({
      title: `Speaker verification, ${nameOf(sets[0])}: the better of both scalings`,
      xLabel: "false alarms",
      yLabel: "misses",
      x: { scale: "probit", range: [0.002, 0.6], percent: true },
      y: { scale: "probit", range: [0.002, 0.6], percent: true },
      series: results.filter(({ set }) => set === sets[0]).map(({ system, det }) => ({
        name: system,
        points: det,
      })),
    }),
  );
  const heading = "## Speaker verification: equal error rate, %, lower is better";
  return [heading, comparedTable(results, (count) => `${count.toLocaleString("en")} pairs`), chart]
    .join("\n\n");
}

function identification(results: Of<"identification">[]): string {
  if (results.length === 0) return "";
  const heading = "## Speaker identification: accuracy, %, higher is better";
  return [heading, comparedTable(results, (count) => `${count} utterances`)].join("\n\n");
}

/** One row per system, two columns per set. */
function comparedTable(
  results: readonly Of<"verification" | "identification">[],
  count: (count: number) => string,
): string {
  const sets = unique(results, ({ set }) => set);
  const head = sets.flatMap((set) => {
    const { raw, scaledBy } = results.find((result) => result.set === set)!.figures;
    return [
      `${nameOf(set)} (${raw.speakers} speakers, ${count(raw.count)})`,
      `standardised by ${scaledBy}`,
    ];
  });
  return table(
    ["features", ...head],
    unique(results, ({ system }) => system).map((system) => [
      system,
      ...sets.flatMap((set) => {
        const figures = results.find((result) => result.system === system && result.set === set)
          ?.figures;
        return [estimate(figures?.raw), estimate(figures?.standardised)];
      }),
    ]),
  );
}

function words(results: Of<"words">[], show: Show): string {
  if (results.length === 0) return "";
  const [{ set, figures: { count, speakers }, chance }] = results;
  const title = `${Math.round(1 / chance)} words of ${
    nameOf(set)
  }: ${count} by ${speakers} unseen speakers`;
  return [
    "## Words: accuracy of a linear probe, %, higher is better",
    `${title}. Chance ${percent(chance)} %.`,
    table(
      ["features", "test", "dev", "penalty"],
      results.map(({ system, figures }) => [
        system,
        estimate(figures),
        percent(figures.devAccuracy),
        `${figures.penalty}`,
      ]),
    ),
    show(
      "words.svg",
      "accuracy of each kind of feature",
      bars(title, "accuracy", {
        results,
        groups: [""],
        values: ({ figures }) => [figures],
        rule: { name: "chance", value: chance },
      }),
    ),
  ].join("\n\n");
}

function abx(results: Of<"abx">[], show: Show): string {
  if (results.length === 0) return "";
  const [{ set, figures: { within, across } }] = results;
  const title = `ABX on words of ${nameOf(set)}`;
  return [
    "## ABX on words: error, %, lower is better",
    `${nameOf(set)}, ${within.raw.speakers} unseen speakers; ${within.raw.count} triplets ` +
    `within and ${across.raw.count} across speakers. ` +
    `Chance 50 %. Standardised by ${within.scaledBy} recordings of others.`,
    table(
      ["features", "within", "standardised", "across", "standardised"],
      results.map(({ system, figures: { within, across } }) => [
        system,
        ...[within.raw, within.standardised, across.raw, across.standardised].map(estimate),
      ]),
    ),
    show(
      "abx.svg",
      "error of each kind of feature within and across speakers",
      bars(`${title}, the better of both scalings`, "error", {
        results,
        groups: ["within speakers", "across speakers"],
        values: ({ figures: { within, across } }) => [within, across].map(lower),
      }),
    ),
  ].join("\n\n");
}

function nce(results: Of<"nce">[], show: Show): string {
  if (results.length === 0) return "";
  const name = ({ system, set }: { system: string; set: string }) => `${system}, ${set}`;
  const mostSteps = results.reduce((most, { figures }) => Math.max(most, figures.steps.length), 0);
  const heads = Array.from({ length: mostSteps }, (_, i) => `k = ${i + 1}`);
  const each = (
    { figures: { steps } }: Of<"nce">,
    text: (step: PredictionFigures["steps"][number]) => string,
  ) => heads.map((_, i) => i < steps.length ? text(steps[i]) : "");
  return [
    "## Prediction: InfoNCE in nats, lower is better, and accuracy, higher is better",
    "nce of all k, with its interval, and of each:",
    table(
      ["model, split", "windows", "nce", ...heads],
      results.map((result) => {
        const { nce, windows } = result.figures;
        const interval = nce.interval
          ? ` (${nce.interval.map((x) => x.toFixed(2)).join("–")})`
          : "";
        return [
          name(result),
          `${windows}`,
          `${nce.value.toFixed(3)}${interval}`,
          ...each(result, ({ nce }) => nce.toFixed(2)),
        ];
      }),
    ),
    "Accuracy of each k, %:",
    table(
      ["model, split", ...heads],
      results.map((result) => [name(result), ...each(result, ({ accuracy }) => percent(accuracy))]),
    ),
    show(
      "prediction.svg",
      "accuracy by step of each model",
      lineChart({
        title: "Accuracy of predictions",
        xLabel: "k, frames of 10 ms ahead",
        yLabel: "accuracy",
        y: { range: [0, 1], percent: true },
        series: results.map((result) => ({
          name: name(result),
          points: result.figures.steps.map(({ k, accuracy }) => [k, accuracy] as const),
        })),
      }),
    ),
  ].join("\n\n");
}

function bars<R extends Result>(
  title: string,
  yLabel: string,
  { results, groups, values, rule }: {
    results: readonly R[];
    groups: readonly string[];
    values: (result: R) => Estimate[];
    rule?: { name: string; value: number };
  },
): string {
  const bar = ({ value, interval }: Estimate): Bar => ({ value, interval });
  const series = results.map((result) => ({ name: result.system, bars: values(result).map(bar) }));
  return barChart({ title, yLabel, groups, series, y: { percent: true }, rule });
}

function lower({ raw, standardised }: Compared): Estimate {
  return raw.value <= standardised.value ? raw : standardised;
}

function estimate(figure?: Estimate): string {
  if (!figure) return "";
  const interval = figure.interval ? ` (${figure.interval.map(percent).join("–")})` : "";
  return `${percent(figure.value)}${interval}`;
}

function percent(share: number): string {
  return Number.isNaN(share) ? "–" : (100 * share).toFixed(1);
}

/** A table whose columns are as wide as their widest cell, as `deno fmt` writes it. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, i) =>
    Math.max(3, ...[head, ...rows].map((cells) => cells[i].length))
  );
  const line = (cells: readonly string[], fill = " ") =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i], fill)).join(" | ")} |`;
  return [line(head), line(head.map(() => ""), "-"), ...rows.map((cells) => line(cells))].join(
    "\n",
  );
}

function only<Task extends Result["task"]>(results: readonly Result[], task: Task): Of<Task>[] {
  return results.filter((result): result is Of<Task> => result.task === task);
}

function unique<T>(items: readonly T[], of: (item: T) => string): string[] {
  return [...new Set(items.map(of))];
}

function nameOf(set: string): string {
  return SET_NAMES[set] ?? set;
}
