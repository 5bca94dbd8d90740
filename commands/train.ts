/** `deno task train`: trains a CPC model with TensorFlow.js. */
import process from "node:process";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import cliProgress from "cli-progress";
import { CpcError, UsageError } from "../errors.ts";
import { type Bfloat16Products, bfloat16Products } from "../training/bfloat16.ts";
import type { Tf } from "../model/tfjs/layers.ts";
import { loadTfjs } from "../model/tfjs/backend.ts";
import { loadWeights } from "../model/weights.ts";
import { Batches } from "../training/batches.ts";
import { parseTrainingConfig } from "../training/config.ts";
import { openCorpus } from "../training/corpus.ts";
import { DevSet } from "../training/dev_set.ts";
import { initialTensors } from "../training/initial_weights.ts";
import { readDataSet } from "../training/manifest.ts";
import { RunFolder } from "../training/run_folder.ts";
import { runTraining } from "../training/run.ts";
import { DivergedError, Trainer } from "../training/trainer.ts";

const FLAGS = {
  data: { value: "PATH", help: "manifest (CSV) or folder of recordings" },
  out: { value: "DIR", help: "the run's folder; a run that is in it goes on" },
  config: {
    value: "FILE",
    fallback: "training/configs/cpc-base.json",
    help: "what is trained, and how; see docs/training.md",
  },
  init: { value: "FOLDER", help: "weights to begin with (default: drawn by the seed)" },
  cache: { value: "DIR", help: "keeps decoded recordings for the next run" },
  minutes: { value: "N", help: "stops after so long, to be continued (default: at the last step)" },
  precision: {
    value: "NAME",
    fallback: "auto",
    help: "of the encoder's products: fp32, bf16, or auto, which takes bf16 where it is faster",
  },
  device: { value: "NAME", fallback: "auto", help: "gpu, cpu or wasm" },
} as const;
type Flag = keyof typeof FLAGS;

const HELP = `Trains a CPC model.

usage: deno task train --data PATH --out DIR [flags]

${
  Object.entries<{ value: string; help: string; fallback?: string }>(FLAGS).map((
    [name, { value, help, fallback }],
  ) =>
    `  ${`--${name} ${value}`.padEnd(18)} ${help} (${fallback ? `default ${fallback}; ` : ""}${
      environmentName(name)
    })`
  ).join("\n")
}
  --help             this text

Writes into DIR: config.json, checkpoint.safetensors (every 5 minutes), log.jsonl, loss.svg, and weights/, which
\`deno task start --model DIR/weights\` serves. Ctrl-C ends after the step that runs and keeps everything.
Needs tfjs-node: \`deno task setup:tfjs\`.`;

function environmentName(flag: string): string {
  return `CPC_TRAIN_${flag.toUpperCase()}`;
}

/**
 * Runs the command; resolves to its exit status: 0, 1 when it failed, 2 when it was called wrongly.
 */
export async function train(args: string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const usage = error instanceof UsageError ||
      (error instanceof CpcError && error.code === "invalid_option");
    if (!usage && !(error instanceof CpcError || error instanceof DivergedError)) throw error;
    console.error(`deno task train: ${error.message}`);
    return usage ? 2 : 1;
  }
}

async function run(args: string[]): Promise<number> {
  const flags = parse(args);
  if (flags === undefined) {
    console.log(HELP);
    return 0;
  }
  const { data, out, config: file, minutes } = flags;
  const precision = (["auto", "fp32", "bf16"] as const).find((name) => name === flags.precision);
  if (!precision) {
    throw new UsageError(`--precision takes auto, fp32 or bf16, got ${flags.precision}`);
  }
  if (!data || !out || !file) {
    throw new UsageError("--data and --out are needed; --help tells more");
  }
  const config = parseTrainingConfig(await readText(file), file);
  const initial = flags.init ? await loadWeights(flags.init) : undefined;
  if (initial && JSON.stringify(initial.config) !== JSON.stringify(config.model)) {
    throw new UsageError(`--init ${flags.init}: its config.json is not the model of ${file}`);
  }
  const folder = new RunFolder(out);
  await folder.open(config);

  const loaded = await loadTfjs({ device: flags.device, gradients: true });
  for (const { name, why } of loaded.tried) console.error(`${name} is not used: ${why}`);
  const products = productsOf(loaded.tf, precision, {
    out,
    kept: (await folder.progress())?.precision,
  });
  console.error(
    `training on ${loaded.backend} (${loaded.device}), products in ${
      products ? "bfloat16" : "fp32"
    }`,
  );
  const dataSet = await readDataSet(data);
  const onProgress = showDecoding();
  const corpora = [];
  for (const split of ["train", "dev"] as const) {
    corpora.push(await openCorpus(dataSet, { splits: [split], cache: flags.cache, onProgress }));
  }
  const batches = new Batches(corpora[0], config);
  const dev = new DevSet(corpora[1], config);
  const hours = corpora.map(({ spans }) =>
    spans.reduce((sum, { from, to }) => sum + to - from, 0) / 16_000 / 3600
  );
  console.error(
    `${hours[0].toFixed(2)} h of ${batches.voices} voices to train on, ${
      hours[1].toFixed(2)
    } h held out`,
  );

  const tensors = initial?.tensors ?? initialTensors(config.model, config.seed);
  const trainer = new Trainer(loaded.tf, { config, tensors, products });
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onSignal);
  try {
    await runTraining(loaded.tf, {
      trainer,
      batches,
      dev,
      folder,
      seconds: minutes === undefined ? Infinity : Number(minutes) * 60,
      signal: stop.signal,
      show: showSteps(config.optimizer.steps),
    });
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, onSignal);
    trainer.dispose();
  }
  return 0;
}

/** A run goes on in the precision that it began with. */
function productsOf(
  tf: Tf,
  asked: "auto" | "fp32" | "bf16",
  { out, kept }: { out: string; kept?: "fp32" | "bf16" },
): Bfloat16Products | undefined {
  if (kept && asked !== "auto" && asked !== kept) {
    throw new UsageError(
      `the run in ${out} began with --precision ${kept}: leave the flag out, or name another --out`,
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

function parse(args: string[]): Partial<Record<Flag, string>> | undefined {
  const options = Object.fromEntries(
    Object.keys(FLAGS).map((name) => [name, { type: "string" as const }]),
  );
  let values: Record<string, string | boolean | undefined>;
  try {
    ({ values } = parseArgs({
      args,
      options: { ...options, help: { type: "boolean" } },
      allowPositionals: false,
    }));
  } catch (error) {
    throw new UsageError(
      `${(error as Error).message.split(/\. |\.?\n/)[0]}; --help lists the flags`,
    );
  }
  if (values.help) return undefined;
  const flags: Partial<Record<Flag, string>> = {};
  for (const name of Object.keys(FLAGS) as Flag[]) {
    const flag: { value: string; fallback?: string } = FLAGS[name];
    const value = values[name] ?? (Deno.env.get(environmentName(name)) || flag.fallback);
    if (typeof value === "string") flags[name] = value;
  }
  if (flags.minutes !== undefined && !/^[1-9]\d{0,5}$/.test(flags.minutes)) {
    throw new UsageError(
      `--minutes takes a whole number from 1 to 999999, got ${JSON.stringify(flags.minutes)}`,
    );
  }
  return flags;
}

async function readText(file: string): Promise<string> {
  const path = file === FLAGS.config.fallback
    ? fileURLToPath(new URL(`../${file}`, import.meta.url))
    : file;
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`);
  }
}

function showDecoding(): (done: number, total: number) => void {
  if (!Deno.stderr.isTerminal()) return () => {};
  const bar = new cliProgress.SingleBar({
    format: "decoding {bar} {value}/{total}",
    stream: process.stderr,
  });
  return (done, total) => {
    if (done === 1) bar.start(total, 0);
    bar.update(done);
    if (done === total) bar.stop();
  };
}

/** A bar on a terminal, else a line now and then. */
function showSteps(total: number): (step: number, line: string) => void {
  if (!Deno.stderr.isTerminal()) return (_, line) => line && console.error(line);
  const bar = new cliProgress.SingleBar({
    format: "{bar} {value}/{total} {eta_formatted} {line}",
    stream: process.stderr,
  });
  let last = "";
  return (step, line) => {
    if (!bar.isActive) bar.start(total, step, { line: "" });
    last = line || last;
    bar.update(step, { line: last });
    if (step === total) bar.stop();
  };
}

if (import.meta.main) Deno.exit(await train(Deno.args));
