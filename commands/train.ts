/** `deno task train`: trains a CPC model with TensorFlow.js. */
import type { Values } from "../config/setting.ts";
import { UsageError } from "../errors.ts";
import { type Bfloat16Products, bfloat16Products } from "../training/bfloat16.ts";
import type { Tf } from "../model/tfjs/layers.ts";
import { describeTfjs, loadTfjs } from "../model/tfjs/backend.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import { loadWeights } from "../model/weights.ts";
import { Batches } from "../training/batches.ts";
import { parseTrainingConfig } from "../training/config.ts";
import { type Corpus, openCorpus } from "../training/corpus.ts";
import { DevSet } from "../training/dev_set.ts";
import { initialTensors } from "../training/initial_weights.ts";
import { readDataSet, type Split } from "../training/manifest.ts";
import { RunFolder } from "../training/run_folder.ts";
import { runTraining } from "../training/run.ts";
import { Trainer } from "../training/trainer.ts";
import { runCommand } from "./cli.ts";
import { TRAIN } from "./train/options.ts";
import { showDecoding, showSteps } from "./train/progress.ts";
import { untilSignal } from "./until_signal.ts";

/** Runs the command; resolves to its exit status. */
export function train(args: string[]): Promise<number> {
  return runCommand(TRAIN, run, { args });
}

async function run(flags: Values<typeof TRAIN.settings>): Promise<void> {
  const { data, out, config: file, minutes, precision } = flags;
  const config = parseTrainingConfig(file.text(), file.path);
  const initial = flags.init ? await loadWeights(flags.init) : undefined;
  if (initial && JSON.stringify(initial.config) !== JSON.stringify(config.model)) {
    throw new UsageError(`--init ${flags.init}: its config.json is not the model of ${file.path}`);
  }
  const dataSet = await readDataSet(data);
  const folder = new RunFolder(out);
  await folder.open(config);

  const loaded = await loadTfjs({ device: flags.device, gradients: true, awaits: true });
  for (const { name, why } of loaded.tried) console.error(`${name} is not used: ${why}`);
  const { warning } = describeTfjs(loaded);
  if (warning) console.error(warning);
  const products = productsOf(loaded.tf, precision, {
    out,
    kept: (await folder.progress())?.precision,
  });
  console.error(
    `training on ${loaded.backend} (${loaded.adapter?.name ?? loaded.device}), products in ${
      products ? "bfloat16" : "fp32"
    }`,
  );
  const onProgress = showDecoding();
  const corpusOf = (split: Split) =>
    openCorpus(dataSet, { splits: [split], cache: flags.cache, onProgress });
  const heard = await corpusOf("train");
  const heldOut = await corpusOf("dev");
  const batches = new Batches(heard, config);
  const dev = new DevSet(heldOut, config);
  console.error(
    `${hours(heard)} h of ${batches.voices} voices to train on, ${hours(heldOut)} h held out`,
  );

  const tensors = initial?.tensors ?? initialTensors(config.model, config.seed);
  const trainer = new Trainer(loaded.tf, { config, tensors, products });
  const how = {
    trainer,
    batches,
    dev,
    folder,
    seconds: minutes === undefined ? Infinity : minutes * 60,
    show: showSteps(config.optimizer.steps),
  };
  try {
    await untilSignal((signal) => runTraining(loaded.tf, { ...how, signal }));
  } finally {
    trainer.dispose();
  }
}

function hours({ spans }: Corpus): string {
  const samples = spans.reduce((sum, { from, to }) => sum + to - from, 0);
  return (samples / MODEL_SAMPLE_RATE / 3600).toFixed(2);
}

/** A run continues in the precision in which it began. */
function productsOf(
  tf: Tf,
  asked: "auto" | "fp32" | "bf16",
  { out, kept }: { out: string; kept?: "fp32" | "bf16" },
): Bfloat16Products | undefined {
  if (kept && asked !== "auto" && asked !== kept) {
    throw new UsageError(
      `the run in ${out} began with --precision ${kept}: leave the flag out, or choose ` +
        "another --out",
    );
  }
  const precision = kept ?? asked;
  const products = bfloat16Products(tf, precision);
  if (precision !== "bf16" || products) return products;
  throw new UsageError(
    `--precision bf16${
      kept ? `, as the run in ${out} began,` : ""
    } needs tfjs-node: deno task setup:tfjs`,
  );
}

if (import.meta.main) Deno.exit(await train(Deno.args));
