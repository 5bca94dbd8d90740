/**
 * Chooses which recordings of a data set serve which task: always the same ones, in the same order.
 */
import { below, seeded } from "../model/seeded.ts";
import type { Corpus } from "../training/corpus.ts";
import type { Segment, Split } from "../training/manifest.ts";

/** The tasks to choose from. */
export const TASKS = ["verification", "identification", "words", "abx", "nce"] as const;
/** One of {@linkcode TASKS}. */
export type Task = typeof TASKS[number];

/** Sources of the data set whose speakers are known, in the order of the tables. */
export const SPEAKER_SOURCES = ["librispeech", "speech_commands", "arabic_speech_commands"];
/** The source with many known words. */
const WORD_SOURCE = "arabic_speech_commands";
/** Sources that predictions are scored on. */
export const PREDICTION_SOURCES = ["librispeech", "speech_commands"];

/** Most utterances of one speaker in verification, identification and scaling, evenly picked. */
const UTTERANCES_PER_SPEAKER = 40;
/** Tokens of a word by one speaker in ABX. */
const TOKENS_PER_WORD = 3;
/** Windows are at least as loud as this (root mean square, 1 = full scale). */
const LEAST_RMS = 0.003;

/**
 * Utterances of speakers who have at least two, and those of other speakers to scale features by.
 */
export interface SpeakerSet {
  readonly source: string;
  readonly test: readonly Segment[];
  readonly dev: readonly Segment[];
}

/** Spoken words by different speakers. */
export interface WordSet {
  readonly source: string;
  readonly words: readonly string[];
  readonly train: readonly Segment[];
  readonly dev: readonly Segment[];
  readonly test: readonly Segment[];
}

/** Tokens to compare, and those of other speakers to scale features by. */
export interface AbxSet {
  readonly source: string;
  readonly tokens: readonly Segment[];
  readonly dev: readonly Segment[];
}

/** What each task needs; a task without data has none. */
export interface Selection {
  readonly speakers: readonly SpeakerSet[];
  readonly words?: WordSet;
  readonly abx?: AbxSet;
}

/**
 * Chooses recordings by source, split and speaker.
 *
 * @param options `repetitions`: most recordings of one word by one speaker, for `words` and `abx`
 */
export function select(
  segments: readonly Segment[],
  { tasks, repetitions }: { tasks: ReadonlySet<Task>; repetitions: number },
): Selection {
  const of = (source: string, split: Split) =>
    segments.filter((segment) =>
      segment.source === source && segment.split === split && segment.speaker !== ""
    );
  const spoken = (split: Split) => {
    const labelled = of(WORD_SOURCE, split).filter(({ text }) => text);
    return tokensOf(labelled).flatMap((same) => evenly(same, repetitions));
  };
  const speakers = SPEAKER_SOURCES.flatMap((source) => {
    const test = perSpeaker(of(source, "test")).filter((own) => own.length >= 2);
    return test.length < 2
      ? []
      : [{ source, test: test.flat(), dev: perSpeaker(of(source, "dev")).flat() }];
  });
  return {
    speakers: tasks.has("verification") || tasks.has("identification") ? speakers : [],
    words: tasks.has("words") ? wordSet(spoken) : undefined,
    abx: tasks.has("abx") ? abxSet(spoken, of) : undefined,
  };
}

type OfSplit = (split: Split) => Segment[];

function wordSet(spoken: OfSplit): WordSet | undefined {
  const train = spoken("train");
  const words = [...new Set(train.map(({ text }) => text))].sort();
  const known = (split: Split) => spoken(split).filter(({ text }) => words.includes(text));
  const set = { source: WORD_SOURCE, words, train, dev: known("dev"), test: known("test") };
  return words.length < 2 || set.dev.length === 0 || set.test.length === 0 ? undefined : set;
}

function abxSet(
  spoken: OfSplit,
  of: (source: string, split: Split) => Segment[],
): AbxSet | undefined {
  const tokens = tokensOf(spoken("test")).flatMap((same) => evenly(same, TOKENS_PER_WORD));
  const dev = perSpeaker(of(WORD_SOURCE, "dev")).flat();
  return tokens.length === 0 || dev.length === 0 ? undefined : { source: WORD_SOURCE, tokens, dev };
}

/** Recordings of one word by one speaker, for each such pair. */
function tokensOf(segments: readonly Segment[]): Segment[][] {
  return [
    ...Map.groupBy(segments, ({ speaker, text }) => JSON.stringify([speaker, text])).values(),
  ];
}

/** At most this many utterances of each speaker. */
function perSpeaker(segments: readonly Segment[]): Segment[][] {
  return [...Map.groupBy(segments, ({ speaker }) => speaker).values()].map((own) =>
    evenly(own, UTTERANCES_PER_SPEAKER)
  );
}

/** At most `count` items, evenly spread. */
function evenly<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor(i * items.length / count)]);
}

/** A piece of a recording. */
export interface Window {
  readonly speaker: string;
  readonly samples: Float32Array<ArrayBuffer>;
}

/**
 * Windows to predict in: recordings of a split, cut from their beginnings, without silence; a seed
 * draws them evenly.
 *
 * @param options `samples` of a window, and the most windows; `levelDb`: the level to which each is
 *   brought (root mean square, dB of full scale); by default it stays as recorded
 */
export function drawWindows(
  corpus: Corpus,
  { sources, split, samples, count, levelDb, seed = 1 }: {
    sources: readonly string[];
    split: Split;
    samples: number;
    count: number;
    levelDb?: number;
    seed?: number;
  },
): Window[] {
  const places = corpus.spans
    .filter((span) => span.split === split && sources.includes(span.source))
    .flatMap(({ path, from, to, speaker, source }) =>
      Array.from(
        { length: Math.floor((to - from) / samples) },
        (_, i) => ({ path, from: from + i * samples, speaker: `${source} ${speaker}` }),
      )
    );
  const random = seeded(seed);
  const windows: Window[] = [];
  while (windows.length < count && places.length > 0) {
    const [{ path, from, speaker }] = places.splice(below(places.length, random), 1);
    const window = corpus.read(path, { from, to: from + samples });
    const power = window.reduce((sum, x) => sum + x * x, 0) / samples;
    if (power < LEAST_RMS ** 2) continue;
    const gain = levelDb === undefined ? 1 : 10 ** (levelDb / 20) / Math.sqrt(power);
    windows.push({ speaker, samples: window.map((x) => gain * x) });
  }
  return windows;
}
