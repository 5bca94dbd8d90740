/**
 * What a stream sends of its frames: outputs, prediction steps, every n-th. `update` changes it.
 */
import { z } from "zod";
import { type Asked, checkAsked, OUTPUTS } from "../../inference/want.ts";
import type { Dims } from "../../model/weights.ts";

/** Outputs in a message. */
export const outputList = z.array(z.enum(OUTPUTS)).min(1).refine(isUnique, "names an output twice");
/** Prediction steps in a message. */
export const stepList = z.array(z.int().min(1).max(128)).min(1).refine(
  isUnique,
  "names a step twice",
);
/** The n of every n-th frame in a message. */
export const everyNumber = z.int().min(1).max(1_000_000);

/** What a stream sends of its frames. */
export type Selection = Asked;

/**
 * A selection with some of its members replaced.
 *
 * @throws {CpcError} `invalid_option` for a step beyond K, or predictions or scores from a model
 *   without predictors
 */
export function selection(
  change: Partial<Selection>,
  current: Selection,
  dims: Dims,
): Selection {
  const output = OUTPUTS.filter((name) => (change.output ?? current.output).includes(name));
  const steps = (change.steps ?? current.steps).toSorted((a, b) => a - b);
  checkAsked({ output, steps }, dims);
  return { output, steps, every: change.every ?? current.every };
}

function isUnique(list: readonly unknown[]): boolean {
  return new Set(list).size === list.length;
}
