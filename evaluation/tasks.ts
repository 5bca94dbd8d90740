/** The tasks: from features to figures. */
import { joinChunks } from "../audio/rechunk.ts";
import type { DotProducts } from "./products.ts";
import type { Segment } from "../training/manifest.ts";
import { abxErrors, drawTriplets } from "./metrics/abx.ts";
import { identify } from "./metrics/identification.ts";
import { type Estimate, meanOverSpeakers } from "./metrics/intervals.ts";
import { type Examples, probe, type Scaler, scalerOf, standardised } from "./metrics/probe.ts";
import { allPairs, detCurve, verify } from "./metrics/verification.ts";
import type { Rows } from "./features/rows.ts";
import { type Heard, keyOf } from "./listen.ts";
import type { AbxSet, SpeakerSet, WordSet } from "./selection.ts";

/** A system's features by recording. */
export type Hearing = ReadonlyMap<string, Heard>;

/**
 * A figure for features as they are, and for features standardised by other speakers' recordings.
 */
export interface Compared {
  readonly raw: Estimate;
  readonly standardised: Estimate;
  /**
   * The number of recordings behind the means and deviations. The interval does not reflect their
   * choice.
   */
  readonly scaledBy: number;
}

/** Triplets for each X in ABX. */
const TRIPLETS = 5;

/** Equal error rates, and the curve of the lower one. */
export function runVerification(
  hearing: Hearing,
  { test, dev }: SpeakerSet,
): Compared & { det: [number, number][] } {
  const speakers = test.map(({ speaker }) => speaker);
  const raw = allPairs(meansOf(hearing, test), speakers);
  const { means, scaledBy } = scaledMeans(hearing, { test, dev });
  const standard = allPairs(means, speakers);
  const compared = { raw: verify(raw), standardised: verify(standard), scaledBy };
  return {
    ...compared,
    det: detCurve(compared.raw.value <= compared.standardised.value ? raw : standard),
  };
}

/** Share of utterances assigned to their speaker. */
export function runIdentification(hearing: Hearing, { test, dev }: SpeakerSet): Compared {
  const speakers = test.map(({ speaker }) => speaker);
  const { means, scaledBy } = scaledMeans(hearing, { test, dev });
  return {
    raw: identify(meansOf(hearing, test), speakers),
    standardised: identify(means, speakers),
    scaledBy,
  };
}

/** The result of a linear probe on words. */
export interface WordFigures extends Estimate {
  readonly penalty: number;
  readonly devAccuracy: number;
}

/** Share of words that a linear probe recognises. */
export async function runWords(
  hearing: Hearing,
  set: WordSet,
  products: DotProducts,
): Promise<WordFigures> {
  const { train, dev, test, words } = set;
  const places = new Map(words.map((word, i) => [word, i]));
  const examples = (segments: readonly Segment[]): Examples => ({
    count: segments.length,
    vectors: partsOf(hearing, segments),
    labels: Int32Array.from(segments, ({ text }) => places.get(text) as number),
  });
  const found = await probe(
    { train: examples(train), dev: examples(dev), test: examples(test) },
    { classes: words.length, products },
  );
  const { right, penalty, devAccuracy } = found;
  return { ...meanOverSpeakers(right, test.map(({ speaker }) => speaker)), penalty, devAccuracy };
}

/** ABX errors within and across speakers. */
export async function runAbx(
  hearing: Hearing,
  { tokens, dev }: AbxSet,
  products: DotProducts,
): Promise<{ within: Compared; across: Compared }> {
  const named = tokens.map(({ speaker, text }) => ({ speaker, word: text }));
  const raw = tokens.map((token) => heardOf(hearing, token).frames as Rows);
  const scaler = scalerOf(partsOf(hearing, dev), raw[0].width);
  const scaled = raw.map((rows) => ({ ...rows, data: standardised(rows.data, scaler) }));
  const figures = async (speakers: "within" | "across"): Promise<Compared> => {
    const triplets = drawTriplets(named, { speakers, each: TRIPLETS });
    const whose = triplets.map(({ x }) => named[x].speaker);
    const errors = async (frames: readonly Rows[]) =>
      meanOverSpeakers(await abxErrors(frames, triplets, products), whose);
    return { raw: await errors(raw), standardised: await errors(scaled), scaledBy: dev.length };
  };
  return { within: await figures("within"), across: await figures("across") };
}

function meansOf(hearing: Hearing, segments: readonly Segment[]): Float32Array[] {
  return segments.map((segment) => heardOf(hearing, segment).mean);
}

/** Means, standardised by those of dev speakers, or by their own when there are none. */
function scaledMeans(
  hearing: Hearing,
  { test, dev }: { test: readonly Segment[]; dev: readonly Segment[] },
): { means: Float32Array[]; scaledBy: number } {
  const means = meansOf(hearing, test);
  const others = meansOf(hearing, dev.length > 0 ? dev : test);
  const scaler: Scaler = scalerOf(joinChunks(others), means[0].length);
  return { means: means.map((mean) => standardised(mean, scaler)), scaledBy: others.length };
}

/** `[N, 5 · D]`, which is also `[5 · N, D]` */
function partsOf(hearing: Hearing, segments: readonly Segment[]): Float32Array {
  return joinChunks(segments.map((segment) => heardOf(hearing, segment).parts as Float32Array));
}

function heardOf(hearing: Hearing, segment: Segment): Heard {
  const heard = hearing.get(keyOf(segment));
  if (!heard) throw new TypeError(`${keyOf(segment)} has no features: listen() was not given it`);
  return heard;
}
