/**
 * What a stream sends of its frames: outputs, prediction steps, every n-th. `update` changes it.
 */
import { z } from "zod";
import { type Asked, checkAsked, checkHeads, isHead, OUTPUTS } from "../../inference/want.ts";
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

/** What a stream sends of its frames. */
export type Selection = Asked;

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
 *   without predictors, or a head that it lacks or that hears more channels
 */
export function selection(
  change: Partial<Selection>,
  current: Selection,
  { dims, ...stream }: Selectable,
): Selection {
  const asked = change.output ?? current.output;
  const output = [...OUTPUTS.filter((name) => asked.includes(name)), ...asked.filter(isHead)];
  const steps = (change.steps ?? current.steps).toSorted((a, b) => a - b);
  checkAsked({ output, steps }, dims);
  checkHeads(output, { ...stream, how: "open the stream with channels=2 and split=1" });
  return { output, steps, every: change.every ?? current.every };
}

function isUnique(list: readonly unknown[]): boolean {
  return new Set(list).size === list.length;
}
