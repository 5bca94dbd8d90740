/** Small runs of training. */
import type { Tf } from "../../model/tfjs/layers.ts";
import { Batches } from "../../training/batches.ts";
import { type TrainingConfig, trainingConfigSchema } from "../../training/config.ts";
import type { Corpus } from "../../training/corpus.ts";
import { DevSet } from "../../training/dev_set.ts";
import { initialTensors } from "../../training/initial_weights.ts";
import { runTraining } from "../../training/run.ts";
import { RunFolder } from "../../training/run_folder.ts";
import { Trainer } from "../../training/trainer.ts";
import { tinyConfig } from "./models.ts";

/** A run of 30 steps on a tiny model; other members replace its own. */
export const tinyRun = (more: Record<string, unknown> = {}): TrainingConfig =>
  trainingConfigSchema.parse({
    model: tinyConfig,
    batch: { voices: 2, windows_per_voice: 2, window_samples: 3200 },
    negatives: { batch: 12, voice: 4 },
    augment: { speed: [0.9, 1.1] },
    optimizer: { steps: 30, warmup_steps: 2, rate: 0.005 },
    average: 0.9,
    dev: { windows: 3, negatives: 16, every_steps: 10 },
    ...more,
  });

/** A sitting: until a step (as a signal would), for some seconds, or to the end of the run. */
export interface SittingOptions {
  readonly config: TrainingConfig;
  readonly train: Corpus;
  readonly dev: Corpus;
  readonly until?: number;
  /** The step after which it dies. */
  readonly dies?: number;
  readonly seconds?: number;
  readonly checkpointSeconds?: number;
}

/** Trains in a folder. @returns steps done */
export async function sittingOn(
  tf: Tf,
  path: string,
  { config, train, dev, until = Infinity, dies = Infinity, ...options }: SittingOptions,
): Promise<number> {
  const folder = new RunFolder(path);
  await folder.open(config);
  const trainer = new Trainer(tf, { config, tensors: initialTensors(config.model, config.seed) });
  const stop = new AbortController();
  try {
    return await runTraining(tf, {
      trainer,
      batches: new Batches(train, config),
      dev: new DevSet(dev, config),
      folder,
      signal: stop.signal,
      show: (step) => {
        if (step >= dies) throw new Error("died");
        if (step >= until) stop.abort();
      },
      ...options,
    });
  } finally {
    trainer.dispose();
  }
}
