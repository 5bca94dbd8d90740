/**
 * Where somebody speaks in a clean recording, by energy alone. What is unclear gets no label, and a
 * recording that is not clean gets none at all, so that no other detector has a say in the labels.
 */
import { powersOf } from "../heads/augment.ts";

/** Stretches of 10 ms a second. */
const RATE = 100;
/** dB between the floor and the loud parts of a recording that counts as clean. */
const LEAST_RANGE_DB = 36;
/** dB below the loud parts: louder is speech, … */
const SPEECH_BELOW_DB = 25;
/** … quieter is not, and what lies between has no label. */
const SILENCE_BELOW_DB = 33;
/** Shares of the stretches below the floor and below the loud parts. */
const FLOOR_SHARE = 0.05;
const LOUD_SHARE = 0.95;
/** Closures of stops and the like: not a pause. */
const LONGEST_GAP_S = 0.2;
/** Clicks and breaths: no label. */
const SHORTEST_SPEECH_S = 0.1;
const LEAST_DB = -100;

/** A labelled part of a recording, in seconds. */
export interface EnergySpan {
  readonly start: number;
  readonly end: number;
  readonly label: "speech" | "silence";
}

/**
 * The parts of a recording that are surely speech or surely not.
 *
 * @param samples at 16 kHz
 * @returns undefined when it is not clean enough to tell
 */
export function energySpans(samples: Float32Array): EnergySpan[] | undefined {
  const powers = powersOf(samples);
  if (powers.length < 0.3 * RATE) return undefined;
  const levels = smoothed(powers);
  const sorted = levels.toSorted();
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))];
  const [floor, loud] = [at(FLOOR_SHARE), at(LOUD_SHARE)];
  if (loud - floor < LEAST_RANGE_DB) return undefined;
  const marks = Array.from(levels, (level): Mark => {
    if (level > loud - SPEECH_BELOW_DB) return "speech";
    return level < loud - SILENCE_BELOW_DB ? "silence" : undefined;
  });
  relabel(marks, {
    of: (mark) => mark !== "speech",
    shorterThan: LONGEST_GAP_S * RATE,
    as: "speech",
    inside: true,
  });
  relabel(marks, {
    of: (mark) => mark === "speech",
    shorterThan: SHORTEST_SPEECH_S * RATE,
    as: undefined,
  });
  return spansOf(marks);
}

type Mark = "speech" | "silence" | undefined;

/** Level of each stretch in dB, its power averaged with that of its neighbours. */
function smoothed(powers: Float64Array): Float64Array {
  return powers.map((power, i) => {
    const mean = ((powers[i - 1] ?? power) + power + (powers[i + 1] ?? power)) / 3;
    return Math.max(LEAST_DB, 10 * Math.log10(mean));
  });
}

/** Gives short runs another mark; with `inside`, not those at the ends of the recording. */
function relabel(
  marks: Mark[],
  { of, shorterThan, as, inside = false }: {
    of: (mark: Mark) => boolean;
    shorterThan: number;
    as: Mark;
    inside?: boolean;
  },
): void {
  for (let from = 0; from < marks.length;) {
    let to = from;
    while (to < marks.length && of(marks[to]) === of(marks[from])) to++;
    const isAtEnd = from === 0 || to === marks.length;
    if (of(marks[from]) && to - from < shorterThan && !(inside && isAtEnd)) {
      marks.fill(as, from, to);
    }
    from = to;
  }
}

function spansOf(marks: readonly Mark[]): EnergySpan[] {
  const spans: EnergySpan[] = [];
  for (let from = 0; from < marks.length;) {
    let to = from;
    while (to < marks.length && marks[to] === marks[from]) to++;
    const label = marks[from];
    if (label) spans.push({ start: from / RATE, end: to / RATE, label });
    from = to;
  }
  return spans;
}
