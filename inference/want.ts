/** What a stream's owner asks of each frame, checked against the model. */
import { CpcError } from "../errors.ts";
import type { HeadFile } from "../model/heads/spec.ts";
import type { Dims } from "../model/weights.ts";
import type { Want } from "./messages.ts";

/** The outputs of a frame, in the order of a block's rows. */
export const OUTPUTS = ["context", "latent", "prediction", "score"] as const;
/** The rows of a head, as a request names them. */
export type HeadOutput = `head.${string}`;
/** One of {@linkcode OUTPUTS}, or a head's. */
export type Output = typeof OUTPUTS[number] | HeadOutput;

/** Wants no output of any frame: others are made of it. */
export const NOTHING: Want = {
  context: false,
  latent: false,
  prediction: [],
  score: [],
  every: 1,
};

/** Names of the heads among some outputs. */
export function headsOf(output: readonly Output[]): string[] {
  return output.filter(isHead).map((name) => name.slice(HEAD.length));
}

const HEAD = "head.";

/** Whether an output is a head's. */
export function isHead(output: string): output is HeadOutput {
  return output.startsWith(HEAD);
}

/** A request: outputs, prediction steps k, every n-th frame. */
export interface Asked {
  readonly output: readonly Output[];
  /** 1-based, ascending. */
  readonly steps: readonly number[];
  readonly every: number;
  /** The enrolled voice: `[C]`, of length 1. */
  readonly voice?: Float32Array;
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
export function wantOf({ output, steps, every, voice }: Asked): Want {
  return {
    context: output.includes("context"),
    latent: output.includes("latent"),
    prediction: output.includes("prediction") ? steps : [],
    score: output.includes("score") ? steps : [],
    every,
    ...(output.some(isHead) && { heads: headsOf(output) }),
    ...(voice && { voice }),
  };
}

/**
 * Refuses heads that a model does not have, or that hear more channels than there are.
 *
 * @param options `model`: its id; `heads`: its own; `channels`: signals that the stream or the
 *   recording carries, each with a state of its own; `how`: how one asks for two
 * @throws {CpcError} `invalid_option`, listing the model's heads
 */
export function checkHeads(
  output: readonly Output[],
  { model, heads = [], channels, how }: {
    model: string;
    heads?: readonly HeadFile[];
    channels: number;
    how: string;
  },
): void {
  for (const name of headsOf(output)) {
    const head = heads.find((one) => one.name === name);
    if (!head) {
      const known = heads.map(({ name }) => `head.${name}`).join(", ");
      throw new CpcError(
        "invalid_option",
        `the model ${model} has no head ${JSON.stringify(name)}; ${
          known === "" ? "it has none" : `it has ${known}`
        }`,
        { param: "output" },
      );
    }
    const hears = head.spec.channels;
    if (hears === 1 || hears === channels) continue;
    throw new CpcError(
      "invalid_option",
      `the head ${name} hears ${hears} channels: ${how}`,
      { param: "output" },
    );
  }
}

/**
 * The first of some outputs whose head compares with an enrolled voice, by its name.
 *
 * @param heads the model's
 */
export function enrolledHead(
  output: readonly Output[],
  heads: readonly HeadFile[],
): string | undefined {
  return heads.find(({ name, enrolled }) => enrolled && output.includes(`head.${name}`))?.name;
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
  const message = dims.steps === 0
    ? "this model has no predictors: leave out option steps"
    : `option steps takes 1 to ${dims.steps} for this model, got ${beyond}`;
  throw new CpcError("invalid_option", message, { param: "steps" });
}
