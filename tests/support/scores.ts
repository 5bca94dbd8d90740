/** Scores of clips: how a test asks for them, and what the plain reference makes of them. */
import assert from "node:assert/strict";
import { meanFigures, type ObjectiveFigures, totalOf } from "../../model/objective.ts";
import { framesOf, objective } from "../../model/reference_objective.ts";
import { referenceForward, referencePredictions } from "../../model/reference.ts";
import type { Weights } from "../../model/weights.ts";
import { randomWeights, tinyConfig } from "./models.ts";
import type { TestServer } from "./server.ts";
import { random } from "./stream.ts";

const context = { type: "gru" as const, hidden: 5, layers: 2 };
/** As CDCK6: two networks. */
export const both = randomWeights(
  { ...tinyConfig, reverse: { context, predictors: tinyConfig.predictors } },
  23,
  "both",
);
/** Its reversed network predicts another number of steps. */
export const uneven = randomWeights(
  { ...tinyConfig, reverse: { context, predictors: { steps: 2, type: "linear" } } },
  24,
  "uneven",
);

/** Speech-like loudness, exact in 16 bits. */
export function sound(length: number, seed: number): Float32Array {
  const next = random(seed);
  let loudness = 1;
  return Float32Array.from({ length }, (_, i) => {
    if (i % 800 === 0) loudness = next();
    return Math.round((next() * 2 - 1) * loudness * 32767) / 32768;
  });
}

/** Asks for the scores of clips. */
export function post(
  app: TestServer["app"],
  files: readonly Uint8Array<ArrayBuffer>[],
  options: Record<string, string> = {},
) {
  const form = new FormData();
  for (const [name, value] of Object.entries(options)) form.append(name, value);
  for (const file of files) form.append("file", new Blob([file]), "clip.wav");
  return app.request("/v1/score", { method: "POST", body: form });
}

/** Figures, and by step the share of windows whose best score is as good as another's. */
export type Expected = ObjectiveFigures & { readonly tied: readonly number[] };

/** Differences of log softmax that single precision does not tell apart. */
const TIE = 2e-4;

/** The share of columns j of log softmax (over dim 1) whose two best rows are as good as equal. */
function tiedShare(total: Float64Array): number {
  const N = Math.sqrt(total.length);
  const rows = Array.from({ length: N }, (_, i) => {
    const row = [...total.subarray(i * N, (i + 1) * N)];
    const largest = Math.max(...row);
    return row.map((x) =>
      x - largest - Math.log(row.reduce((sum, y) => sum + Math.exp(y - largest), 0))
    );
  });
  const tied = Array.from({ length: N }, (_, j) => {
    const [best, second] = rows.map((row) => row[j]).sort((a, b) => b - a);
    return best - second <= TIE;
  });
  return tied.filter(Boolean).length / N;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The figures of windows, by the plain reference. */
export function expected(
  weights: Weights,
  windows: readonly Float32Array[],
  times: readonly number[],
): Expected {
  const features = windows.map((samples) => {
    const { latent, hidden } = referenceForward(weights, samples);
    return { latent, predictions: referencePredictions(weights, hidden) };
  });
  const steps = weights.config.predictors?.steps ?? 0;
  const all = (part: (of: typeof features[number]) => Float64Array) =>
    Float64Array.from(features.flatMap((of) => [...part(of)]));
  const at = { windows: windows.length, frames: features[0].latent.frames };
  const [latent, predicted] = [
    all(({ latent }) => latent.data),
    all(({ predictions }) => predictions.data),
  ];
  const batches = times.map((t) => ({
    windows: windows.length,
    steps,
    future: framesOf(latent, { ...at, from: t + 1, to: t + 1 + steps }),
    predictions: framesOf(predicted, { ...at, from: t, to: t + 1 }),
  }));
  return {
    ...meanFigures(batches.map((batch) => objective(batch))),
    tied: Array.from(
      { length: steps },
      (_, i) => meanOf(batches.map((batch) => tiedShare(totalOf(batch, i + 1)))),
    ),
  };
}

/** Whole windows of samples; the remainder is dropped. */
export function cut(samples: Float32Array, length: number): Float32Array[] {
  return Array.from(
    { length: Math.floor(samples.length / length) },
    (_, i) => samples.slice(i * length, (i + 1) * length),
  );
}

/** Tied columns may go to either row; all others must go to the right one. */
export function assertFigures(actual: ObjectiveFigures, truth: Expected, tolerance = 1e-4): void {
  assert.ok(Math.abs(actual.nce - truth.nce) <= tolerance, `nce ${actual.nce} is not ${truth.nce}`);
  assert.equal(actual.accuracy, actual.steps.at(-1)?.accuracy);
  assert.deepEqual(actual.steps.map(({ k }) => k), truth.steps.map(({ k }) => k));
  for (const [i, { nce, accuracy }] of actual.steps.entries()) {
    assert.ok(Math.abs(nce - truth.steps[i].nce) <= tolerance, `nce of step ${i + 1}`);
    assert.ok(
      Math.abs(accuracy - truth.steps[i].accuracy) <= truth.tied[i] + 1e-9,
      `accuracy of step ${i + 1}: ${accuracy} is not ${truth.steps[i].accuracy}`,
    );
  }
}

/** Asserts that scores are refused, with this status, code and parameter, for a reason. */
export async function refused(
  response: Response,
  [status, code, param]: [number, string, string | undefined],
  message: RegExp,
) {
  const { error } = await response.json();
  assert.deepEqual(
    [response.status, error.code, error.param],
    [status, code, param],
    error.message,
  );
  assert.match(error.message, message);
}
