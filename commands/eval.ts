/**
 * `deno task eval`: what frozen features are worth on speakers that no model was trained on, next
 * to features that need no training.
 */
import { dirname, join, relative, sep } from "node:path";
import { checkModels } from "../config/server.ts";
import { CpcError, UsageError } from "../errors.ts";
import { clipsOf, spectralExtractor } from "../evaluation/listen.ts";
import { withTables } from "../evaluation/page.ts";
import { report, type Result } from "../evaluation/report.ts";
import { select, type Task, TASKS } from "../evaluation/selection.ts";
import { loadWeights } from "../model/weights.ts";
import { openCorpus } from "../training/corpus.ts";
import { runCommand } from "./cli.ts";
import { evaluationData, hear, withUntrained } from "./eval/data.ts";
import { ModelExtractor } from "./eval/extractor.ts";
import { EVAL, type Options } from "./eval/options.ts";
import { progress } from "./eval/progress.ts";
import { evaluateFeatures, evaluatePredictions } from "./eval/results.ts";

/** Runs the command; resolves to its exit status. */
export function evaluate(args: string[]): Promise<number> {
  return runCommand(EVAL, run, { args });
}

async function run(options: Options): Promise<void> {
  const { cache } = options;
  const tasks = new Set<Task>(options.only ?? TASKS);
  checkModels(options.models);
  if (options.page && !options.out) {
    throw new UsageError("--page requires --out DIR for its charts");
  }
  if (options.page) {
    // fails before all the work, not after it
    withTables(options.page.text(), { tables: "", name: `--page ${options.page.path}` });
  }
  if (options.out) await Deno.mkdir(options.out, { recursive: true });
  const models = await Promise.all(options.models.map(loadWeights));
  const data = await evaluationData(options.manifest);
  const corpus = await progress(
    "decoding",
    (onProgress) => openCorpus(data, { cache, onProgress }),
  );
  const selection = select(data.segments, { tasks, repetitions: options.repetitions });
  const clips = clipsOf(selection);
  const results: Result[] = [];
  const all = await withUntrained(models, corpus);
  for (const weights of all) {
    const model = await ModelExtractor.start(weights, options);
    try {
      results.push(
        ...await evaluateFeatures(await hear(model, clips, { corpus, cache }), selection, tasks),
      );
      if (tasks.has("nce")) results.push(...await evaluatePredictions(model, weights, corpus));
    } finally {
      await model.close();
    }
  }
  results.push(
    ...await evaluateFeatures(
      await hear(spectralExtractor, clips, { corpus, cache }),
      selection,
      tasks,
    ),
  );
  if (results.length === 0) {
    throw new CpcError(
      "invalid_option",
      `${options.manifest} has no recordings for ${[...tasks].join(", ")}; see docs/evaluation.md`,
    );
  }
  await write(results, options);
}

async function write(results: readonly Result[], { out, page }: Options): Promise<void> {
  const charts = out && page ? `${relative(dirname(page.path), out).split(sep).join("/")}/` : "";
  const { markdown, charts: files } = report(results, { charts });
  console.log(markdown); // first, so that a file that cannot be written does not cost the work
  const figures = `${
    JSON.stringify(results.map((result) => ({ ...result, det: undefined })), undefined, 2)
  }\n`;
  if (out) {
    await Deno.writeTextFile(join(out, "evaluation.json"), figures);
    if (!page) await Deno.writeTextFile(join(out, "evaluation.md"), `${markdown}\n`);
    for (const [file, svg] of files) await Deno.writeTextFile(join(out, file), svg);
  }
  if (page) {
    const { path } = page;
    await Deno.writeTextFile(path, withTables(page.text(), { tables: markdown, name: path }));
  }
}

if (import.meta.main) Deno.exit(await evaluate(Deno.args));
