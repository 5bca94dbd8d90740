/**
 * What a stream sends of its frames: outputs, prediction steps, every n-th. `update` changes it.
 */
import { z } from "zod";
import { type Asked, checkAsked, checkHeads, isHead, OUTPUTS } from "../../inference/want.ts";
import { voiceOf } from "../../inference/voice.ts";
import { type HeadFile, headOutputSchema } from "../../model/heads/spec.ts";
import type { Dims } from "../../model/weights.ts";

/** An output in a message: one of the model's, or a head's. */
export const outputName = z.union(
  [z.enum(OUTPUTS), headOutputSchema],
  `takes ${OUTPUTS.join(", ")} and head.NAME`,
);
/** Outputs in a message. */
export const outputList = z.array(outputName).min(1).refine(isUnique, "names an output twice");
/** Prediction steps in a message. */
export const stepList = z.array(z.int().min(1).max(128)).min(1).refine(
  isUnique,
  "names a step twice",
);
/** The n of every n-th frame in a message. */
export const everyNumber = z.int().min(1).max(1_000_000);

/** Most numbers of a voice in a message: more than any context has. */
export const MOST_VOICE_NUMBERS = 16_384;
/** An enrolled voice in a message. */
export const voiceNumbers = z.array(z.number()).max(MOST_VOICE_NUMBERS);

/** What a stream sends of its frames. */
export type Selection = Asked;

/** A change of it, as a message says it. */
export type SelectionChange =
  & Partial<Omit<Selection, "voice">>
  & { readonly voice?: readonly number[] };

/** What a selection is checked against. */
export interface Selectable {
  readonly model: string;
  readonly dims: Dims;
  readonly heads?: readonly HeadFile[];
  /** Signals that the stream carries, each with a state of its own. */
  readonly channels: number;
}

/**
 * A selection with some of its members replaced.
 *
 * @throws {CpcError} `invalid_option` for a step beyond K, predictions or scores from a model
 *   without predictors, a head that it lacks or that hears more channels, or a voice that is no
 *   context
 */
export function selection(
  change: SelectionChange,
  current: Selection,
  { dims, ...stream }: Selectable,
): Selection {
  const asked = change.output ?? current.output;
  const output = [...OUTPUTS.filter((name) => asked.includes(name)), ...asked.filter(isHead)];
  const steps = (change.steps ?? current.steps).toSorted((a, b) => a - b);
  checkAsked({ output, steps }, dims);
  checkHeads(output, { ...stream, how: "open the stream with channels=2 and split=1" });
  const voice = change.voice ? voiceOf(change.voice, { dims, model: stream.model }) : current.voice;
  return { output, steps, every: change.every ?? current.every, ...(voice && { voice }) };
}

function isUnique(list: readonly unknown[]): boolean {
  return new Set(list).size === list.length;
}
