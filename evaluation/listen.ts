/**
 * Computes the features of every recording that a task needs, once, and keeps what the tasks use.
 */
import type { Segment } from "../training/manifest.ts";
import { beside, meanRow, partMeans, type Rows } from "./features/rows.ts";
import { deltas, logMel, mfcc } from "./features/spectral.ts";
import type { Selection } from "./selection.ts";

/** Computes features of recordings. */
export interface Extractor {
  /** Changes when its features do. */
  readonly key: string;
  /** Names of the systems, that is kinds of features, that it computes. */
  readonly systems: readonly string[];
  /** How many recordings it takes at once. */
  readonly concurrency: number;
  /** Features of a recording, one for each system. */
  embed(samples: Float32Array<ArrayBuffer>): Promise<Rows[]>;
}

/** What is kept of one recording and one system. */
export interface Heard {
  /** `[D]` */
  readonly mean: Float32Array;
  /** Means over fifths, `[5 · D]`; only for recordings of the word task. */
  readonly parts?: Float32Array;
  /**
   * Its frames between the first and the last loud one; only for recordings compared frame by
   * frame.
   */
  readonly frames?: Rows;
}

/** By system, then by {@linkcode keyOf} its recordings. */
export type Features = Map<string, Map<string, Heard>>;

/** Equal parts of a word whose means a probe sees. */
export const PARTS = 5;

/** What to keep of a recording. */
export interface Clip {
  readonly segment: Segment;
  parts: boolean;
  frames: boolean;
}

/** A recording's name. */
export function keyOf(
  { path, startSample, samples }: Pick<Segment, "path" | "startSample" | "samples">,
): string {
  return `${path}@${startSample}+${samples}`;
}

/** Every recording of a selection, once. */
export function clipsOf({ speakers, words, abx }: Selection): Clip[] {
  const clips = new Map<string, Clip>();
  const want = (segments: readonly Segment[], keep: { parts?: boolean; frames?: boolean } = {}) => {
    for (const segment of segments) {
      const clip = clips.get(keyOf(segment)) ?? { segment, parts: false, frames: false };
      clip.parts ||= keep.parts ?? false;
      clip.frames ||= keep.frames ?? false;
      clips.set(keyOf(segment), clip);
    }
  };
  for (const { test, dev } of speakers) want([...test, ...dev]);
  if (words) want([...words.train, ...words.dev, ...words.test], { parts: true });
  if (abx) {
    want(abx.dev, { parts: true });
    want(abx.tokens, { frames: true });
  }
  return [...clips.values()];
}

/**
 * Computes and keeps the features of recordings.
 *
 * @param samplesOf the samples of a recording, mono at 16 kHz
 * @param onClip called after each
 */
export async function listen(
  extractor: Extractor,
  clips: readonly Clip[],
  { samplesOf, onClip }: {
    samplesOf: (segment: Segment) => Float32Array<ArrayBuffer>;
    onClip?: () => void;
  },
): Promise<Features> {
  const features: Features = new Map(extractor.systems.map((system) => [system, new Map()]));
  const queue = clips.values();
  const worker = async () => {
    for (const clip of queue) {
      const samples = samplesOf(clip.segment);
      const span = clip.frames ? loudSpan(samples) : undefined;
      const rows = await extractor.embed(samples);
      extractor.systems.forEach((system, i) =>
        features.get(system)?.set(keyOf(clip.segment), keep(rows[i], clip, span))
      );
      onClip?.();
    }
  };
  await Promise.all(Array.from({ length: extractor.concurrency }, worker));
  return features;
}

function keep(rows: Rows, clip: Clip, span?: readonly [number, number]): Heard {
  return {
    mean: meanRow(rows, 0, rows.frames),
    parts: clip.parts ? partMeans(rows, PARTS) : undefined,
    frames: span && cut(rows, span),
  };
}

/**
 * The share of a recording, from … to, that lies between its first and its last stretch of 10 ms
 * within 30 dB of the loudest.
 */
export function loudSpan(samples: Float32Array): [number, number] {
  const step = 160;
  const powers = Array.from({ length: Math.max(1, Math.floor(samples.length / step)) }, (_, i) => {
    return samples.subarray(i * step, (i + 1) * step).reduce((sum, x) => sum + x * x, 0);
  });
  const least = powers.reduce((a, b) => Math.max(a, b)) / 1000;
  const isLoud = (power: number) => power >= least;
  return [
    powers.findIndex(isLoud) / powers.length,
    (powers.findLastIndex(isLoud) + 1) / powers.length,
  ];
}

function cut({ frames, width, data }: Rows, [from, to]: readonly [number, number]): Rows {
  const first = Math.min(frames - 1, Math.floor(from * frames));
  const last = Math.max(first + 1, Math.ceil(to * frames));
  return { frames: last - first, width, data: data.slice(first * width, last * width) };
}

/**
 * MFCC (13), the same with slopes (whose mean over a recording is almost zero), and log-mel spectra
 * (40).
 */
export const spectralExtractor: Extractor = {
  key: "spectral 2",
  systems: ["MFCC", "MFCC, slopes", "log-mel"],
  concurrency: 1,
  embed(samples) {
    const mel = logMel(samples);
    const cepstrum = mfcc(mel);
    return Promise.resolve([cepstrum, beside(cepstrum, deltas(cepstrum)), mel]);
  },
};
