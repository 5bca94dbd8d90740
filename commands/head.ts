/** `deno task head`: trains a head on a model's frozen features. */
import { join } from "node:path";
import { MODEL_SAMPLE_RATE, streamingPlan } from "../model/architecture.ts";
import { sha256Of } from "../model/heads/load.ts";
import { loadTfjs } from "../model/tfjs/backend.ts";
import type { Tf } from "../model/tfjs/layers.ts";
import { loadWeights, modelDims } from "../model/weights.ts";
import { openCorpus } from "../training/corpus.ts";
import { checkFiles, checkSpans, readLabels } from "../training/heads/labels.ts";
import { cutInTime, type HeardRecording, holdOut, scaleOf } from "../training/heads/rows.ts";
import { HeadRun } from "../training/heads/run.ts";
import { HeadTrainer } from "../training/heads/trainer.ts";
import { runCommand } from "./cli.ts";
import { ModelExtractor } from "./eval/extractor.ts";
import { progress } from "./eval/progress.ts";
import { checkRows, hearAll } from "./head/features.ts";
import { HEAD, type HeadFlags } from "./head/options.ts";
import { dataSetOf, planOf } from "./head/plan.ts";
import { minutesOf, type Parts, writeHead } from "./head/write.ts";
import { showSteps } from "./train/progress.ts";
import { untilSignal } from "./until_signal.ts";

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
  let recordings: HeardRecording[];
  try {
    const dims = modelDims(weights.config)[flags.input];
    const voices = data.recordings.map(({ path }) => path)
      .filter((path) => !heldOut.has(path) && !test.has(path));
    recordings = await progress(
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
  const parts = partsOf(recordings, { by, heldOut, test });
  checkRows(parts, plan.labels);

  const features = sha256Of(await Deno.readFile(join(flags.features, "model.safetensors")));
  const run = new HeadRun(join(flags.out, "run"));
  const rows = recordings.map(({ path, rows }) => [path, rows]);
  await run.open({ ...plan.making, features, rows });
  const { tf, backend, device, tried } = await loadTfjs({
    device: flags.trainDevice,
    gradients: true,
  });
  for (const { name, why } of tried) console.error(`${name} is not used: ${why}`);
  console.error(
    `training on ${backend} (${device}): ${minutesOf(parts.train, rowS).toFixed(1)} min to learn ` +
      `from, ${minutesOf(parts.dev, rowS).toFixed(1)} min held out by ${by}`,
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
    const heard = { parts, by, rowS, hopSamples, scale };
    await writeHead(flags, { trainer, plan, heard, model: { id: weights.id, features } });
  } finally {
    trainer.dispose();
  }
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
  const show = showSteps(steps);
  let saved = performance.now();
  await untilSignal(async (signal) => {
    while (!trainer.isOver && !signal.aborted) {
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
  });
  if (trainer.isOver) return true;
  console.error(
    `stopped after step ${trainer.progress.step}, kept in ${run.path}: the same command goes on`,
  );
  return false;
}

if (import.meta.main) Deno.exit(await head(Deno.args));
