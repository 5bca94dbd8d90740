/**
 * Tracks to learn voice activity from: clean utterances of several people behind each other, with
 * silences between them that are known to be silent.
 */
import { below, hashOf, normal, seeded } from "../../model/seeded.ts";
import { activeRms } from "../heads/augment.ts";
import type { EnergySpan } from "./energy.ts";

const SAMPLE_RATE = 16_000;
/** Longest part of an utterance. */
const LONGEST_UTTERANCE_S = 8;
/** Silence between two utterances, in seconds: shortest, longest. */
const GAP_S = [0.3, 3] as const;
/** Level of an utterance, in dB of full scale: quietest, loudest. */
const LEVEL_DB = [-32, -20] as const;
/** A room's own noise, in dB below the utterances. */
const ROOM_BELOW_DB = [45, 60] as const;
/** Fade at the cut of an utterance, so that it does not click. */
const FADE_SAMPLES = 80;

/** A clean recording and its labels. */
export interface Utterance {
  readonly speaker: string;
  readonly samples: Float32Array;
  readonly spans: readonly EnergySpan[];
}

/** A track and its labels; what no span covers has none. */
export interface Track {
  readonly samples: Float32Array<ArrayBuffer>;
  readonly spans: readonly EnergySpan[];
  /** Everybody who speaks in it. */
  readonly speakers: readonly string[];
}

/**
 * Makes tracks of one length, each from the next utterances, until those or the tracks run out.
 *
 * @param utterances in an order of their own; none is used twice
 */
export function makeTracks(
  utterances: readonly Utterance[],
  { seed, seconds, count }: { seed: number; seconds: number; count: number },
): Track[] {
  const queue = [...utterances];
  const tracks: Track[] = [];
  while (tracks.length < count) {
    const track = makeTrack(queue, {
      random: seeded(hashOf(seed, "track", tracks.length)),
      samples: seconds * SAMPLE_RATE,
    });
    if (!track) break;
    tracks.push(track);
  }
  return tracks;
}

/** Takes utterances from the queue; undefined when they do not last to the end. */
function makeTrack(
  queue: Utterance[],
  { random, samples: length }: { random: () => number; samples: number },
): Track | undefined {
  const within = ([low, high]: readonly [number, number]) => low + (high - low) * random();
  const track = new Float32Array(length);
  const spans: EnergySpan[] = [];
  const speakers = new Set<string>();
  const loudness = within(LEVEL_DB);
  for (let at = 0; at < length;) {
    const gap = Math.min(length - at, Math.floor(within(GAP_S) * SAMPLE_RATE / 160) * 160);
    spans.push({ start: at / SAMPLE_RATE, end: (at + gap) / SAMPLE_RATE, label: "silence" });
    at += gap;
    if (at >= length) break;
    const utterance = queue.shift();
    if (!utterance) return undefined;
    const size = Math.min(utterance.samples.length, LONGEST_UTTERANCE_S * SAMPLE_RATE, length - at);
    const said = faded(utterance.samples.subarray(0, size));
    const gain = 10 ** ((loudness + 2 * normal(random)) / 20) / (activeRms(said) || 1);
    for (let i = 0; i < size; i++) track[at + i] = gain * said[i];
    const [from, to] = [at / SAMPLE_RATE, (at + size) / SAMPLE_RATE];
    for (const { start, end, label } of utterance.spans) {
      const span = { start: from + start, end: Math.min(to, from + end), label };
      if (span.end > span.start) spans.push(span);
    }
    speakers.add(utterance.speaker);
    at += Math.ceil(size / 160) * 160;
  }
  const room = 10 ** ((loudness - within(ROOM_BELOW_DB)) / 20);
  for (let i = 0; i < length; i++) track[i] += room * normal(random);
  return { samples: track, spans: joined(spans), speakers: [...speakers] };
}

function faded(samples: Float32Array): Float32Array {
  const out = samples.slice();
  for (let i = 0; i < Math.min(FADE_SAMPLES, out.length); i++) {
    out[i] *= i / FADE_SAMPLES;
    out[out.length - 1 - i] *= i / FADE_SAMPLES;
  }
  return out;
}

/** Neighbours with one label become one span. */
function joined(spans: readonly EnergySpan[]): EnergySpan[] {
  const out: EnergySpan[] = [];
  for (const span of spans) {
    const last = out.at(-1);
    if (last && last.label === span.label && span.start - last.end < 1e-6) {
      out[out.length - 1] = { ...last, end: span.end };
    } else out.push(span);
  }
  return out;
}

/** The same items in an order that only the seed determines. */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = seeded(hashOf(seed, "order"));
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = below(i + 1, random);
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}
