/** What a stream's owner asks of each frame, checked against the model. */
import { CpcError } from "../errors.ts";
import type { Dims } from "../model/weights.ts";
import type { Want } from "./messages.ts";

/** The outputs of a frame, in the order of a block's rows. */
export const OUTPUTS = ["context", "latent", "prediction", "score"] as const;
/** One of {@linkcode OUTPUTS}. */
export type Output = typeof OUTPUTS[number];

/** A request: outputs, prediction steps k, every n-th frame. */
export interface Asked {
  readonly output: readonly Output[];
  /** 1-based, ascending. */
  readonly steps: readonly number[];
  readonly every: number;
}

/** All prediction steps of a model: 1 … K. */
export function allSteps({ steps }: Pick<Dims, "steps">): number[] {
  return Array.from({ length: steps }, (_, i) => i + 1);
}

/**
 * The request as the model workers take it.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { wantOf } from "./want.ts";
 *
 * const want = wantOf({ output: ["context", "score"], steps: [1, 4], every: 1 });
 * assert.deepEqual(want.score, [1, 4]);
 * assert.deepEqual(want.prediction, []);
 * ```
 */
export function wantOf({ output, steps, every }: Asked): Want {
  return {
    context: output.includes("context"),
    latent: output.includes("latent"),
    prediction: output.includes("prediction") ? steps : [],
    score: output.includes("score") ? steps : [],
    every,
  };
}

/**
 * Refuses a request that the model cannot serve.
 *
 * @throws {CpcError} `invalid_option` for predictions or scores from a model without predictors, or
 *   a step beyond K
 */
export function checkAsked(
  { output, steps = [] }: { output: readonly Output[]; steps?: readonly number[] },
  dims: Pick<Dims, "steps">,
): void {
  if (dims.steps === 0 && (output.includes("prediction") || output.includes("score"))) {
    throw new CpcError(
      "invalid_option",
      "this model has no predictors: output takes context and latent",
      { param: "output" },
    );
  }
  const beyond = steps.find((k) => k > dims.steps);
  if (beyond === undefined) return;
  throw new CpcError(
    "invalid_option",
    `option steps takes 1 to ${dims.steps} for this model, got ${beyond}`,
    { param: "steps" },
  );
}
