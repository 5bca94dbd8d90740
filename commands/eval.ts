/**
 * `deno task eval`: what frozen features are worth, on speakers that no model was trained on,
 * beside what needs no training.
 */
import { dirname, join, relative, sep } from "node:path";
import process from "node:process";
import cliProgress from "cli-progress";
import { checkModels } from "../config/server.ts";
import { CpcError, UsageError } from "../errors.ts";
import { onnxDotProducts } from "../evaluation/products.ts";
import { loadTfjs } from "../model/tfjs/backend.ts";
import { loadWeights, type Weights } from "../model/weights.ts";
import { type Corpus, openCorpus } from "../training/corpus.ts";
import { cacheFile, readFeatures, writeFeatures } from "../evaluation/feature_cache.ts";
import {
  type Clip,
  clipsOf,
  type Extractor,
  type Features,
  listen,
  spectralExtractor,
} from "../evaluation/listen.ts";
import { runPrediction, WINDOW_SAMPLES } from "../evaluation/prediction.ts";
import { withTables } from "../evaluation/page.ts";
import { report, type Result } from "../evaluation/report.ts";
import {
  drawWindows,
  PREDICTION_SOURCES,
  select,
  type Selection,
  SPEAKER_SOURCES,
  type Task,
  TASKS,
} from "../evaluation/selection.ts";
import { runAbx, runIdentification, runVerification, runWords } from "../evaluation/tasks.ts";
import { type DataSet, readDataSet } from "../training/manifest.ts";
import { untrainedWeights } from "../evaluation/untrained.ts";
import { ModelExtractor } from "./eval/extractor.ts";
import { EVAL, type Options } from "./eval/options.ts";
import { runCommand } from "./cli.ts";

const PREDICTION_WINDOWS = 128;
/** At the level that training brings recordings to, and at the one that a server hears. */
const PREDICTION_SETS = [
  { set: "dev", split: "dev", levelDb: -24 },
  { set: "test", split: "test", levelDb: -24 },
  { set: "test as recorded", split: "test" },
] as const;
const UNTRAINED = { seed: 1, batches: 12, batchWindows: 8 } as const;

/** Runs the command; resolves to its exit status. */
export function evaluate(args: string[]): Promise<number> {
  return runCommand(EVAL, run, { args });
}

async function run(options: Options): Promise<void> {
  const { cache } = options;
  const tasks = new Set<Task>(options.only ?? TASKS);
  checkModels(options.models);
  if (options.page && !options.out) throw new UsageError("--page needs --out DIR for its charts");
  if (options.page) {
    // not after all the work
    withTables(await readPage(options.page), { tables: "", name: `--page ${options.page}` });
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
      `${options.manifest} has no recordings for ${[...tasks].join(", ")}: see docs/evaluation.md`,
    );
  }
  await write(results, options);
}

/**
 * The recordings whose speakers are known: those that are evaluated on, and their sources' other
 * speakers.
 */
async function evaluationData(manifest: string): Promise<DataSet> {
  const { root, segments } = await readDataSet(manifest);
  const known = segments.filter(({ source }) => SPEAKER_SOURCES.includes(source));
  if (known.length > 0) return { root, segments: known };
  throw new CpcError(
    "invalid_option",
    `${manifest} has no recordings of the sources ${SPEAKER_SOURCES.join(", ")}`,
  );
}

/** The models, and for each shape an untrained one. */
async function withUntrained(models: readonly Weights[], corpus: Corpus): Promise<Weights[]> {
  const shapes = Map.groupBy(models, ({ config }) => JSON.stringify(config));
  const { tf } = await loadTfjs();
  const { seed, batches, batchWindows } = UNTRAINED;
  const windows = drawWindows(corpus, {
    sources: PREDICTION_SOURCES,
    split: "train",
    samples: WINDOW_SAMPLES,
    count: batches * batchWindows,
  }).map(({ samples }) => samples);
  if (windows.length === 0) {
    note("no train recordings to set an untrained model's norms by: it is left out");
    return [...models];
  }
  const parts = Map.groupBy(windows.keys(), (i) => Math.floor(i / batchWindows));
  const untrained = [...shapes.values()].map(([{ id, config }]) =>
    untrainedWeights(tf, {
      id: shapes.size === 1 ? "untrained" : `untrained ${id}`,
      config,
      seed,
      batches: [...parts.values()].map((part) => part.map((i) => windows[i])),
    })
  );
  return [...models, ...untrained];
}

/** Features from the cache, or computed and put there. */
async function hear(
  extractor: Extractor,
  clips: readonly Clip[],
  { corpus, cache }: { corpus: Corpus; cache?: string },
): Promise<Features> {
  const file = cache && corpus.key && cacheFile(cache, extractor, { clips, corpus: corpus.key });
  const known = file && await readFeatures(file, { systems: extractor.systems, clips });
  if (known) return known;
  const features = await progress(extractor.systems.join(", "), (onProgress) => {
    let done = 0;
    return listen(extractor, clips, {
      samplesOf: (segment) => corpus.samples(segment),
      onClip: () => onProgress(++done, clips.length),
    });
  });
  if (file) await writeFeatures(file, features, clips);
  return features;
}

async function evaluateFeatures(
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

async function evaluatePredictions(
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

async function write(results: readonly Result[], { out, page }: Options): Promise<void> {
  const charts = out && page ? `${relative(dirname(page), out).split(sep).join("/")}/` : "";
  const { markdown, charts: files } = report(results, { charts });
  console.log(markdown); // first: a file that cannot be written must not cost the work
  const figures = `${
    JSON.stringify(results.map((result) => ({ ...result, det: undefined })), undefined, 2)
  }\n`;
  if (out) {
    await Deno.writeTextFile(join(out, "evaluation.json"), figures);
    if (!page) await Deno.writeTextFile(join(out, "evaluation.md"), `${markdown}\n`);
    for (const [file, svg] of files) await Deno.writeTextFile(join(out, file), svg);
  }
  if (page) {
    await Deno.writeTextFile(
      page,
      withTables(await readPage(page), { tables: markdown, name: page }),
    );
  }
}

async function readPage(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    throw new UsageError(`cannot read --page ${file}: ${(error as Error).message}`);
  }
}

/** A bar on a terminal, else a line for each tenth; and how long it took. */
async function progress<T>(
  what: string,
  work: (onProgress: (done: number, total: number) => void) => Promise<T>,
): Promise<T> {
  const started = performance.now();
  const bar = Deno.stderr.isTerminal()
    ? new cliProgress.SingleBar({ format: `{bar} {percentage} % ${what}`, stream: process.stderr })
    : undefined;
  let tenths = 0;
  try {
    return await work((done, total) => {
      if (done === 1) bar?.start(total, 0);
      bar?.update(done);
      if (bar || Math.floor(10 * done / total) === tenths) return;
      tenths = Math.floor(10 * done / total);
      if (tenths < 10) note(`${what}: ${10 * tenths} %`);
    });
  } finally {
    bar?.stop();
    note(`${what}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  }
}

function note(line: string): void {
  console.error(line);
}

if (import.meta.main) Deno.exit(await evaluate(Deno.args));
