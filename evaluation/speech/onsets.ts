/** How late a detector notices that somebody begins to speak. */

/** A detector's scores of one recording. */
export interface Scores {
  /** Seconds between two scores. */
  readonly hopS: number;
  /**
   * When the score of row 0 is known, in seconds of the recording; the others follow by the hop.
   */
  readonly firstKnownS: number;
  /** The higher, the surer that somebody speaks. */
  readonly values: ArrayLike<number>;
}

/** A labelled part of a recording. */
export interface SpeechSpan {
  readonly start: number;
  readonly end: number;
  readonly label: string;
}

/** Silence before an onset that counts, in seconds. */
const SILENCE_BEFORE_S = 0.3;
/** Later than this, an onset is missed. */
const LONGEST_DELAY_S = 1;

/** The score that holds at a time, whenever it became known. */
export function scoreAt({ hopS, values }: Scores, timeS: number): number {
  const row = Math.min(values.length - 1, Math.floor(timeS / hopS + 1e-6));
  return values[row];
}

/** Times at which speech begins after silence. */
export function onsetsOf(spans: readonly SpeechSpan[]): number[] {
  return spans.filter(({ label, start, end }, i) => {
    const before = spans[i - 1];
    return label === "speech" && before?.label === "silence" &&
      start - before.end < LONGEST_UNSURE_S && before.end - before.start >= SILENCE_BEFORE_S &&
      end > start;
  }).map(({ start }) => start);
}

/** Between a silence and the speech after it, there may be a little that has no label. */
const LONGEST_UNSURE_S = 0.15;

/**
 * Time from an onset to when the first score at or above the threshold is known, in seconds.
 *
 * @returns Infinity if that takes longer than a second; less than nothing where a row just before
 *   the onset, already above the threshold, is still on its way
 */
export function onsetDelay(
  { hopS, firstKnownS, values }: Scores,
  { onsetS, threshold }: { onsetS: number; threshold: number },
): number {
  for (let row = Math.max(0, Math.floor(onsetS / hopS + 1e-6)); row < values.length; row++) {
    const delay = firstKnownS + row * hopS - onsetS;
    if (delay > LONGEST_DELAY_S) break;
    if (values[row] >= threshold) return delay;
  }
  return Infinity;
}

/** The value below which lie this share of the items. */
export function quantile(items: readonly number[], share: number): number {
  const sorted = items.toSorted((a, b) => a - b);
  return sorted.length === 0 ? NaN : sorted[
    Math.min(
      sorted.length - 1,
      Math.floor(share * sorted.length),
    )
  ];
}
