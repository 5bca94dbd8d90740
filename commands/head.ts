/** `deno task head`: trains a head on a model's frozen features. */
import { basename, join, resolve } from "node:path";
import process from "node:process";
import { MODEL_SAMPLE_RATE, streamingPlan } from "../model/architecture.ts";
import { sha256Of } from "../model/heads/load.ts";
import type { HeadSpec } from "../model/heads/spec.ts";
import { loadTfjs } from "../model/tfjs/backend.ts";
import type { Tf } from "../model/tfjs/layers.ts";
import { loadWeights, modelDims } from "../model/weights.ts";
import { headGraph } from "../training/heads/graph.ts";
import { HeadHearing } from "../training/heads/hearing.ts";
import { checkFiles, checkSpans, readLabels } from "../training/heads/labels.ts";
import { HeadRun } from "../training/heads/run.ts";
import { cutInTime, type HeardRecording, holdOut, scaleOf } from "../training/heads/rows.ts";
import { HeadTrainer } from "../training/heads/trainer.ts";
import { openCorpus } from "../training/corpus.ts";
import { runCommand } from "./cli.ts";
import { ModelExtractor } from "./eval/extractor.ts";
import { progress } from "./eval/progress.ts";
import { type EventRow, type FigureRow, headCard, shown, shownEvent } from "./head/card.ts";
import { checkRows, hearAll } from "./head/features.ts";
import { measureHead } from "./head/measure.ts";
import { HEAD, type HeadFlags } from "./head/options.ts";
import { dataSetOf, type HeadPlan, planOf } from "./head/plan.ts";
import { writeWhole } from "./embed/folder.ts";
import { showSteps } from "./train/progress.ts";

/** Thresholds of events, as in docs/heads.md: change them in head.json. */
const EVENT = { on: 0.5, off: 0.35, min_on_s: 0.1, min_off_s: 0.3 };
/** Seconds between two checkpoints. */
const CHECKPOINT_S = 30;

/** Runs the command; resolves to its exit status. */
export function head(args: string[]): Promise<number> {
  return runCommand(HEAD, run, { args });
}

async function run(flags: HeadFlags): Promise<void> {
  const weights = await loadWeights(flags.features);
  const data = await readLabels(flags.labels);
  await checkFiles(data);
  const plan = planOf(flags, data);
  const { hopSamples } = streamingPlan(weights.config);
  const rowS = flags.every * hopSamples / MODEL_SAMPLE_RATE;
  const corpus = await progress(
    "decoding",
    (onProgress) => openCorpus(dataSetOf(data), { onProgress }),
  );
  const segmentOf = new Map(corpus.segments.map((segment) => [segment.path, segment]));
  const samplesOf = (path: string) => corpus.samples(segmentOf.get(path)!);
  checkSpans(data, (path) => samplesOf(path).length / MODEL_SAMPLE_RATE);

  const { by, heldOut, test } = holdOut(data.recordings, flags.seed);
  const model = await ModelExtractor.start(weights, { ...flags, models: [flags.features] });
  let heard: HeardRecording[];
  try {
    const dims = modelDims(weights.config)[flags.input];
    const voices = data.recordings.map(({ path }) => path)
      .filter((path) => !heldOut.has(path) && !test.has(path));
    heard = await progress(
      `features of ${weights.id}`,
      (onRecording) =>
        hearAll({ model, input: flags.input, every: flags.every, rowS, dims }, {
          recordings: data.recordings,
          samplesOf,
          augmentation: plan.augmentation,
          voices,
          seed: flags.seed,
        }, {
          cache: flags.cache ?? join(flags.out, "run", "features"),
          classes: plan.classes,
          onRecording,
        }),
    );
  } finally {
    await model.close();
  }
  const parts = partsOf(heard, { by, heldOut, test });
  checkRows(parts, plan.labels);

  const features = sha256Of(await Deno.readFile(join(flags.features, "model.safetensors")));
  const run = new HeadRun(join(flags.out, "run"));
  await run.open({ ...plan.making, features, rows: heard.map(({ path, rows }) => [path, rows]) });
  const { tf, backend, device, tried } = await loadTfjs({
    device: flags.trainDevice,
    gradients: true,
  });
  for (const { name, why } of tried) console.error(`${name} is not used: ${why}`);
  console.error(
    `training on ${backend} (${device}): ${minutes(parts.train, rowS).toFixed(1)} min to learn ` +
      `from, ${minutes(parts.dev, rowS).toFixed(1)} min held out by ${by}`,
  );
  const width = flags.every * modelDims(weights.config)[flags.input];
  const scale = scaleOf(parts.train, width);
  const trainer = new HeadTrainer(tf, {
    shape: { type: flags.type, width, hidden: flags.hidden, labels: plan.labels.length },
    options: flags,
    scale,
    ...parts,
  });
  try {
    if (!await trained(tf, { trainer, run, steps: flags.steps })) return;
    await writeHead(flags, {
      trainer,
      plan,
      parts,
      by,
      features,
      rowS,
      hopSamples,
      scale,
      model: weights.id,
    });
  } finally {
    trainer.dispose();
  }
}

interface Parts {
  readonly train: HeardRecording[];
  readonly dev: HeardRecording[];
  readonly test: HeardRecording[];
}

function partsOf(
  heard: readonly HeardRecording[],
  { by, heldOut, test }: ReturnType<typeof holdOut>,
): Parts {
  const free = heard.filter(({ path }) => !test.has(path));
  const rest = heard.filter(({ path }) => test.has(path));
  if (by !== "time") {
    const isHeldOut = ({ path }: HeardRecording) => heldOut.has(path);
    const train = free.filter((one) => !isHeldOut(one));
    return { train, dev: free.filter(isHeldOut), test: rest };
  }
  const cut = free.map(cutInTime);
  return { train: cut.map(([first]) => first), dev: cut.map(([, last]) => last), test: rest };
}

/** Trains to the end of the run. @returns false if a signal came before */
async function trained(
  tf: Tf,
  { trainer, run, steps }: { trainer: HeadTrainer; run: HeadRun; steps: number },
): Promise<boolean> {
  if (await run.restore(tf, trainer)) {
    console.error(`continuing after step ${trainer.progress.step}`);
  }
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onSignal);
  const show = showSteps(steps);
  let saved = performance.now();
  try {
    while (!trainer.isOver && !stop.signal.aborted) {
      const loss = trainer.train();
      const { step } = trainer.progress;
      let line = "";
      if (step % trainer.evalSteps === 0 || step === steps) {
        const heldOut = trainer.look();
        line = `step ${step} loss ${loss.toFixed(4)} held out ${heldOut.toFixed(4)}`;
      }
      show(step, line);
      if (performance.now() - saved > CHECKPOINT_S * 1000) {
        await run.save(trainer);
        saved = performance.now();
      }
      await new Promise((resolve) => setTimeout(resolve)); // lets a signal in between steps
    }
    await run.save(trainer);
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, onSignal);
  }
  if (trainer.isOver) return true;
  console.error(
    `stopped after step ${trainer.progress.step}, kept in ${run.path}: the same command goes on`,
  );
  return false;
}

async function writeHead(
  flags: HeadFlags,
  { trainer, plan, parts, by, features, rowS, hopSamples, scale, model }: {
    trainer: HeadTrainer;
    plan: HeadPlan;
    parts: Parts;
    by: string;
    features: string;
    rowS: number;
    hopSamples: number;
    scale: ReturnType<typeof scaleOf>;
    model: string;
  },
): Promise<void> {
  const { labels, positive, events } = plan;
  const { shape } = trainer.network;
  const output = positive ?? "label";
  const given = positive ? [positive] : labels;
  const spec: HeadSpec = {
    input: flags.input,
    channels: 1,
    every: flags.every,
    features,
    state: flags.type === "gru" ? [{ name: "h", shape: [flags.hidden] }] : [],
    outputs: [{ name: output, shape: [given.length], labels: [...given] }],
    events: (positive ? [positive] : events).map((event) => ({
      event,
      output,
      index: given.indexOf(event),
      ...EVENT,
    })),
  };
  const graph = headGraph(trainer.best, {
    shape,
    scale,
    every: flags.every,
    output,
    given: given.length,
  });
  const hearing = await HeadHearing.create(graph, spec);
  const figures: FigureRow[] = [];
  const told: EventRow[] = [];
  for (const [set, recordings] of [["held out", parts.dev], ["test", parts.test]] as const) {
    if (recordings.length === 0) continue;
    const { width } = shape;
    const positives = positive !== undefined;
    const measured = await measureHead(hearing, recordings, {
      set,
      width,
      labels,
      positive: positives,
      hopSamples,
    });
    figures.push(...measured.figures);
    told.push(...measured.events);
  }
  await hearing.dispose();
  const { noises, copies, snrDb, levelDb } = plan.augmentation;
  const { step, bestStep } = trainer.progress;
  const card = headCard({
    name: basename(resolve(flags.out)),
    model,
    input: flags.input,
    type: flags.type,
    hidden: flags.type === "linear" ? undefined : flags.hidden,
    every: flags.every,
    rowsPerSecond: 1 / rowS,
    labels,
    positive,
    augmentation: copies === 0
      ? "none"
      : `${copies} of each recording: ${
        noises.length > 0 ? `${noises.join(", ")} at ${snrDb.join(" to ")} dB, ` : ""
      }level ${levelDb.join(" to ")} dB`,
    minutes: { train: minutes(parts.train, rowS), heldOut: minutes(parts.dev, rowS) },
    heldOutBy: by,
    steps: step,
    bestStep,
    parameters: [...trainer.best.values()].reduce((sum, { length }) => sum + length, 0),
    seed: flags.seed,
    figures,
    events: told,
  });
  const text = (content: string) => new TextEncoder().encode(content);
  await writeWhole(join(flags.out, "head.onnx"), graph);
  await writeWhole(join(flags.out, "head.json"), text(JSON.stringify(spec, null, 2) + "\n"));
  await writeWhole(join(flags.out, "README.md"), text(card));
  for (const { set, name, estimate } of figures) console.log(`${set}: ${name} ${shown(estimate)}`);
  for (const row of told) console.log(`${row.set}: events of ${row.event}: ${shownEvent(row)}`);
  console.log(`head of ${(graph.length / 1024).toFixed(1)} KiB written to ${flags.out}`);
}

/** Minutes of rows with a label. */
function minutes(heard: readonly HeardRecording[], rowS: number): number {
  const rows = heard.reduce(
    (sum, { labels }) => sum + labels.reduce((own, label) => own + (label < 0 ? 0 : 1), 0),
    0,
  );
  return rows * rowS / 60;
}

if (import.meta.main) Deno.exit(await head(Deno.args));
