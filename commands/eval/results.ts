/** The results of `deno task eval`: features on each task, and predictions on each set. */
import { onnxDotProducts } from "../../evaluation/products.ts";
import type { Weights } from "../../model/weights.ts";
import type { Corpus } from "../../training/corpus.ts";
import type { Features } from "../../evaluation/listen.ts";
import { runPrediction, WINDOW_SAMPLES } from "../../evaluation/prediction.ts";
import type { Result } from "../../evaluation/report.ts";
import {
  drawWindows,
  PREDICTION_SOURCES,
  type Selection,
  type Task,
} from "../../evaluation/selection.ts";
import { runAbx, runIdentification, runVerification, runWords } from "../../evaluation/tasks.ts";
import { ModelExtractor } from "./extractor.ts";
import { note, progress } from "./progress.ts";

const PREDICTION_WINDOWS = 128;
/** Sets at the level to which training brings recordings, and at the level that a server hears. */
const PREDICTION_SETS = [
  { set: "dev", split: "dev", levelDb: -24 },
  { set: "test", split: "test", levelDb: -24 },
  { set: "test as recorded", split: "test" },
] as const;

/** Figures of features in each of the tasks. */
export async function evaluateFeatures(
  features: Features,
  selection: Selection,
  tasks: ReadonlySet<Task>,
): Promise<Result[]> {
  const results: Result[] = [];
  const products = await onnxDotProducts();
  for (const [system, hearing] of features) {
    for (const set of selection.speakers) {
      const place = { system, set: set.source };
      if (tasks.has("verification")) {
        const { det, ...figures } = runVerification(hearing, set);
        results.push({ task: "verification", ...place, figures, det });
      }
      if (tasks.has("identification")) {
        results.push({
          task: "identification",
          ...place,
          figures: runIdentification(hearing, set),
        });
      }
    }
    const { words, abx } = selection;
    if (words) {
      const chance = 1 / words.words.length;
      results.push({
        task: "words",
        system,
        set: words.source,
        chance,
        figures: await runWords(hearing, words, products),
      });
    }
    if (abx) {
      results.push({
        task: "abx",
        system,
        set: abx.source,
        figures: await runAbx(hearing, abx, products),
      });
    }
    note(`${system}: done`);
  }
  return results;
}

/** How well a model predicts, on each set; empty for a model without predictors. */
export async function evaluatePredictions(
  model: ModelExtractor,
  { id }: Weights,
  corpus: Corpus,
): Promise<Result[]> {
  const { steps } = model;
  if (steps === 0) return [];
  const results: Result[] = [];
  for (const { set, ...choice } of PREDICTION_SETS) {
    const windows = drawWindows(corpus, {
      sources: PREDICTION_SOURCES,
      samples: WINDOW_SAMPLES,
      count: PREDICTION_WINDOWS,
      ...choice,
    });
    if (windows.length < 2) continue;
    const figures = await progress(`${id} predictions, ${set}`, (onProgress) => {
      let done = 0;
      return runPrediction(windows, {
        steps,
        predict: (samples) => model.predict(samples),
        onWindow: () => onProgress(++done, windows.length),
      });
    });
    results.push({ task: "nce", system: id, set, figures });
  }
  return results;
}
