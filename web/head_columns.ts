/** What the numbers of a head's row are called. */
import type { Head, HeadOutput } from "./models.ts";

/** More curves in one plot cannot be told apart. */
const MOST_COLUMNS = 12;

/** Outputs of voice activity projection (docs/vap.md), in words. */
const TITLES: Readonly<Record<string, string>> = {
  p_now: "Whose turn it is",
  p_future: "Who speaks next",
  vad: "Who is speaking",
};

/** Whether a head says, for two speakers, whose turn it is and who speaks next. */
export function isAboutTurns({ channels, outputs }: Pick<Head, "channels" | "outputs">): boolean {
  const isPair = (wanted: string) =>
    outputs.some(({ name, shape }) => name === wanted && shape.join() === "2");
  return channels === 2 && isPair("p_now") && isPair("p_future");
}

/** What an output is about. */
export function titleOf(
  head: Pick<Head, "channels" | "outputs">,
  { name }: Pick<HeadOutput, "name">,
): string {
  return isAboutTurns(head) ? TITLES[name] ?? name : name;
}

/** Labels of the numbers that are drawn, and how many more there are. */
export function columnsOf(
  { channels }: Pick<Head, "channels">,
  { name, shape, labels }: HeadOutput,
): { labels: readonly string[]; left: number } {
  const size = shape.reduce((a, b) => a * b, 1);
  const isOfSpeakers = channels === 2 && shape.join() === "2";
  const label = (i: number) => {
    if (labels) return labels[i] ?? "";
    if (isOfSpeakers) return `speaker ${i + 1}`;
    return size === 1 ? name : `${name} ${i}`;
  };
  const shown = Math.min(size, MOST_COLUMNS);
  return { labels: Array.from({ length: shown }, (_, i) => label(i)), left: size - shown };
}
