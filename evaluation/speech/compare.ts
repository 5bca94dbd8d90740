/** Voice activity detectors side by side: figures of each on the tracks of one condition. */
import type { Estimate } from "../metrics/intervals.ts";
import { f1, rocAuc, type Scored } from "../metrics/classification.ts";
import { onsetDelay, onsetsOf, quantile, scoreAt, type Scores, type SpeechSpan } from "./onsets.ts";

/** Seconds of a frame that is judged. */
const FRAME_S = 0.01;
/** Share of the silent frames that may be called speech, where onsets are compared. */
const FALSE_ALARMS = 0.05;
/** No score is higher. */
const HIGHEST = 1;

/** A track, its labels, and what a detector says of it. */
export interface Heard {
  readonly spans: readonly SpeechSpan[];
  readonly scores: Scores;
}

/** Figures of a detector. */
export interface SpeechFigures {
  readonly auc: Estimate;
  /** At 0.5. */
  readonly f1: Estimate;
  /** Share of the silent frames that it calls speech at 0.5. */
  readonly falseAlarms: number;
  /** Of the onsets at 5 % false alarms: median and 90 % quantile of the delay in seconds. */
  readonly delayS: number;
  readonly delay90S: number;
  /** Share of the onsets that it misses for a second. */
  readonly missed: number;
  readonly onsets: number;
}

/** Judges a detector on tracks, each frame of 10 ms that has a label. */
export function judge(tracks: readonly Heard[]): SpeechFigures {
  const frames = tracks.flatMap(({ spans, scores }, track) =>
    spans.flatMap(({ start, end, label }) => {
      const [from, to] = [Math.round(start / FRAME_S), Math.round(end / FRAME_S)];
      return Array.from({ length: to - from }, (_, i) => ({
        track,
        isSpeech: label === "speech",
        score: scoreAt(scores, (from + i + 0.5) * FRAME_S),
      }));
    })
  );
  const scored: Scored = {
    labels: Int32Array.from(frames, ({ isSpeech }) => isSpeech ? 0 : 1),
    scores: Float32Array.from(frames.flatMap(({ score }) => [score, 1 - score])),
    classes: 2,
    groups: Int32Array.from(frames, ({ track }) => track),
    groupCount: tracks.length,
  };
  const silent = frames.filter(({ isSpeech }) => !isSpeech).map(({ score }) => score);
  const threshold = thresholdOf(silent);
  const delays = tracks.flatMap(({ spans, scores }) =>
    onsetsOf(spans).map((onsetS) => onsetDelay(scores, { onsetS, threshold }))
  );
  return {
    auc: rocAuc(scored, 0),
    f1: f1(scored, 0),
    falseAlarms: silent.filter((score) => score >= 0.5).length / silent.length,
    delayS: quantile(delays, 0.5),
    delay90S: quantile(delays, 0.9),
    missed: delays.filter((delay) => delay === Infinity).length / delays.length,
    onsets: delays.length,
  };
}

/**
 * The lowest score that at most 5 % of the silent frames reach; Infinity if more have the highest.
 */
function thresholdOf(silent: readonly number[]): number {
  const sorted = silent.toSorted((a, b) => a - b);
  const first = Math.ceil((1 - FALSE_ALARMS) * sorted.length);
  const below = sorted[Math.max(0, first - 1)];
  const next = sorted.slice(first).find((score) => score > below);
  if (next !== undefined) return next;
  return below < HIGHEST ? below + 1e-6 : Infinity;
}

/** A detector's figures in each condition. */
export interface SpeechResult {
  readonly detector: string;
  readonly condition: string;
  readonly figures: SpeechFigures;
}

/** The tables, in Markdown: a figure each, detectors by conditions. */
export function speechTables(results: readonly SpeechResult[]): string {
  const detectors = [...new Set(results.map(({ detector }) => detector))];
  const conditions = [...new Set(results.map(({ condition }) => condition))];
  const columns: [string, (figures: SpeechFigures) => string][] = [
    ["ROC-AUC of frames of 10 ms", ({ auc }) => withInterval(auc)],
    [
      "F1 at 0.5 (false alarms, %)",
      ({ f1, falseAlarms }) => `${f1.value.toFixed(3)} (${percent(falseAlarms)})`,
    ],
    [
      "Onset delay at 5 % false alarms: median, 90 % quantile in ms (missed, %)",
      ({ delayS, delay90S, missed }) =>
        missed === 1 ? "–" : `${ms(delayS)}, ${ms(delay90S)} (${percent(missed)})`,
    ],
  ];
  return columns.map(([title, show]) => {
    const rows = detectors.map((detector) => [
      detector,
      ...conditions.map((condition) => {
        const found = results.find((one) =>
          one.detector === detector && one.condition === condition
        );
        return found ? show(found.figures) : "–";
      }),
    ]);
    return [
      `${title}:`,
      "",
      `| detector | ${conditions.join(" | ")} |`,
      `|${" --- |".repeat(conditions.length + 1)}`,
      ...rows.map((cells) => `| ${cells.join(" | ")} |`),
    ].join("\n");
  }).join("\n\n");
}

function withInterval({ value, interval }: Estimate): string {
  return interval
    ? `${value.toFixed(3)} (${interval.map((x) => x.toFixed(3)).join("–")})`
    : value.toFixed(3);
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}

function ms(seconds: number): string {
  return seconds === Infinity ? "> 1000" : (1000 * seconds).toFixed(0);
}
