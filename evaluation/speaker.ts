/**
 * Calibrates a threshold for the cosine of pooled contexts: above it, two recordings count as one
 * speaker's.
 */
import type { Segment } from "../training/manifest.ts";
import type { Estimate } from "./metrics/intervals.ts";
import { type Trials, verify } from "./metrics/verification.ts";

/** Most clips of one speaker, evenly picked. */
const CLIPS_PER_SPEAKER = 8;

/** A clip: pieces of one speaker's recordings, end to end. */
export interface SpeakerClip {
  readonly speaker: string;
  readonly pieces: readonly { readonly path: string; readonly from: number; readonly to: number }[];
}

/** Errors at one threshold. */
export interface ErrorRates {
  /** Share of pairs of different speakers that count as one speaker's. */
  readonly falseAccepts: number;
  /** Share of pairs of one speaker that count as different speakers'. */
  readonly misses: number;
}

/**
 * Each speaker's recordings, end to end, cut into clips of one length; speakers with fewer than two
 * are left out.
 *
 * @param segments with their lengths, of one source and split
 * @param options `samples`: of a clip
 */
export function speakerClips(
  segments: readonly Segment[],
  { samples }: { samples: number },
): SpeakerClip[] {
  const known = segments.filter(({ speaker }) => speaker !== "");
  return [...Map.groupBy(known, ({ speaker }) => speaker)].flatMap(([speaker, own]) => {
    const clips = cut(own, samples);
    const count = Math.min(clips.length, CLIPS_PER_SPEAKER);
    if (count < 2) return [];
    return Array.from({ length: count }, (_, i) => ({
      speaker,
      pieces: clips[Math.floor(i * clips.length / count)]!,
    }));
  });
}

function cut(segments: readonly Segment[], samples: number): SpeakerClip["pieces"][] {
  const clips: { path: string; from: number; to: number }[][] = [];
  let clip: { path: string; from: number; to: number }[] = [];
  let lacking = samples;
  for (const { path, startSample, samples: length } of segments) {
    for (let from = startSample; from < startSample + length;) {
      const to = Math.min(from + lacking, startSample + length);
      clip.push({ path, from, to });
      lacking -= to - from;
      from = to;
      if (lacking > 0) continue;
      clips.push(clip);
      [clip, lacking] = [[], samples];
    }
  }
  return clips;
}

/** The errors if pairs with a score of at least `threshold` count as one speaker's. */
export function errorRates({ scores, left, right }: Trials, threshold: number): ErrorRates {
  let [same, different, misses, falseAccepts] = [0, 0, 0, 0];
  for (let i = 0; i < scores.length; i++) {
    const accepted = scores[i]! >= threshold;
    if (left[i] === right[i]) {
      same++;
      if (!accepted) misses++;
    } else {
      different++;
      if (accepted) falseAccepts++;
    }
  }
  return { falseAccepts: falseAccepts / different, misses: misses / same };
}

/**
 * The threshold at which both errors are equal, as means over sets of trials: a large set counts no
 * more than a small one.
 *
 * @returns the smallest score at which no more are accepted falsely than missed
 */
export function equalErrorThreshold(sets: readonly Trials[]): number {
  const scores = Float64Array.from(sets.flatMap((trials) => [...trials.scores])).sort();
  const excess = (threshold: number) =>
    sets.reduce((sum, trials) => {
      const { falseAccepts, misses } = errorRates(trials, threshold);
      return sum + falseAccepts - misses;
    }, 0);
  let [low, high] = [0, scores.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (excess(scores[middle]!) <= 0) high = middle;
    else low = middle + 1;
  }
  return scores[low]!;
}

/** What is known of one source's clips of one length. */
export interface SpeakerFigures extends ErrorRates {
  readonly source: string;
  readonly seconds: number;
  readonly clips: number;
  /** Equal error rate. */
  readonly eer: Estimate;
}

/** The figures of some trials at a threshold. */
export function speakerFigures(
  trials: Trials,
  { threshold, ...place }: { threshold: number; source: string; seconds: number; clips: number },
): SpeakerFigures {
  return { ...place, eer: verify(trials), ...errorRates(trials, threshold) };
}

/** A table of the figures of several models, as Markdown. */
export function speakerTable(
  models: readonly { readonly id: string; readonly figures: readonly SpeakerFigures[] }[],
): string {
  const percent = (x: number) => (100 * x).toFixed(1);
  const rows = models.flatMap(({ id, figures }) =>
    figures.map(({ source, seconds, clips, eer, falseAccepts, misses }) => {
      const { value, interval, speakers, count } = eer;
      const between = interval ? ` (${interval.map(percent).join("–")})` : "";
      return `| ${id} | ${source} | ${seconds} s | ${speakers} | ${clips} | ${count} | ` +
        `${percent(value)}${between} | ${percent(falseAccepts)} | ${percent(misses)} |`;
    })
  );
  return [
    "| model | dev speakers of | clips | speakers | number | pairs | equal error rate, % | " +
    "false accepts at the threshold, % | misses at the threshold, % |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}
