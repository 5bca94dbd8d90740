/** Continues a run until its end, or until it is told to stop: steps, dev set, checkpoints, log. */
import { CpcError } from "../errors.ts";
import type { Tf } from "../model/tfjs/layers.ts";
import type { Batches } from "./batches.ts";
import type { DevSet } from "./dev_set.ts";
import type { LogEntry, Progress, RunFolder } from "./run_folder.ts";
import { lineChart } from "../formats/svg.ts";
import type { StepReport, Trainer } from "./trainer.ts";

/** Steps per line of the log. */
const LOG_STEPS = 20;

/** What a run needs. */
export interface RunOptions {
  readonly trainer: Trainer;
  readonly batches: Batches;
  readonly dev: DevSet;
  readonly folder: RunFolder;
  /** Stops after this long in this sitting. */
  readonly seconds?: number;
  /** Time between checkpoints (default 300). */
  readonly checkpointSeconds?: number;
  /** Stops after the current step. */
  readonly signal?: AbortSignal;
  /** Called after each step with the steps done, and now and then a line about them. */
  readonly show?: (step: number, line: string) => void;
}

/**
 * Trains until the configured number of steps, the given time, or the signal. Saves at the end,
 * except after a crash.
 *
 * @returns steps done
 * @throws {DivergedError} when the loss is not a finite number; the last checkpoint stays
 * @throws {CpcError} `invalid_option` when the run began on other recordings
 */
export async function runTraining(
  tf: Tf,
  {
    trainer,
    batches,
    dev,
    folder,
    seconds = Infinity,
    checkpointSeconds = 300,
    signal,
    show = () => {},
  }: RunOptions,
): Promise<number> {
  const { optimizer: { steps }, dev: { every_steps: devSteps }, batch } = trainer.config;
  const batchSeconds = batch.voices * batch.windows_per_voice * batch.window_samples / 16_000;
  const data = `${batches.digest} ${dev.digest}`;
  const before: Progress = await folder.restore(tf, trainer) ?? { step: 0, seconds: 0 };
  if (before.data !== undefined && before.data !== data) {
    throw new CpcError(
      "invalid_option",
      `the run in ${folder.path} began on other recordings: give it those, or begin a new ` +
        "run with --init and --out",
    );
  }
  await folder.rewindLog(before.step);
  if (before.step > 0) show(before.step, `continuing after step ${before.step}`);
  const started = performance.now();
  const here = () => (performance.now() - started) / 1000;
  const total = () => before.seconds + here();
  let saved = here();
  let since: StepReport[] = [];
  let lineAt = here();
  while (trainer.step < steps && here() < seconds && !signal?.aborted) {
    await trainer.train(batches.at(trainer.step));
    const isLogged = trainer.step % LOG_STEPS === 0;
    const isMeasured = trainer.step % devSteps === 0 || trainer.step === steps;
    const isSaved = here() - saved > checkpointSeconds;
    // so that nothing is measured or saved that came after a loss which is not finite
    if (isLogged || isMeasured || isSaved) since.push(...await trainer.reports());
    let line = "";
    if (isLogged) {
      const rate = since.length * batchSeconds / (here() - lineAt);
      const entry: LogEntry = {
        step: trainer.step,
        seconds: round(total()),
        train: { ...meanOf(since), audio_s_per_s: round(rate) },
      };
      await folder.append(entry);
      line = `step ${trainer.step} nce ${entry.train?.nce.toFixed(3)} at ${
        rate.toFixed(1)
      } audio-s/s`;
      [since, lineAt] = [[], here()];
    }
    if (isMeasured) {
      const { nce, steps: each } = await dev.measure(tf, trainer.averaged);
      const [nces, accuracies] = [each.map(({ nce }) => nce), each.map(({ accuracy }) => accuracy)];
      await folder.append({
        step: trainer.step,
        seconds: round(total()),
        dev: figures(nce, nces, accuracies),
      });
      await folder.write("loss.svg", lossChart(await folder.log()));
      line = `step ${trainer.step} dev nce ${nce.toFixed(3)} accuracy ${
        accuracies.map((x) => (x * 100).toFixed(0)).join(" ")
      } %`;
    }
    show(trainer.step, line);
    if (isSaved) {
      await folder.save(trainer, { seconds: total(), data });
      saved = here();
    }
    await new Promise((resolve) => setTimeout(resolve)); // lets a signal in between steps
  }
  await trainer.reports();
  await folder.save(trainer, { seconds: total(), data });
  show(trainer.step, `${trainer.step} steps done, kept in ${folder.path}`);
  return trainer.step;
}

/** A chart of the loss over the steps, in training and on the held-out windows. */
export function lossChart(log: readonly LogEntry[]): string {
  const points = (of: "train" | "dev") =>
    log.flatMap((entry) => entry[of] ? [[entry.step, entry[of].nce] as const] : []);
  return lineChart({
    title: "InfoNCE during training",
    xLabel: "steps",
    yLabel: "nce in nats, mean of all k",
    series: [{ name: "training batches", points: points("train") }, {
      name: "held-out speakers",
      points: points("dev"),
    }],
  });
}

function meanOf(reports: readonly StepReport[]) {
  const mean = (of: (report: StepReport) => number) =>
    reports.reduce((sum, report) => sum + of(report), 0) / reports.length;
  const each = (of: (report: StepReport) => readonly number[]) =>
    of(reports[0]).map((_, i) => mean((report) => of(report)[i]));
  return {
    ...figures(
      mean(({ nce }) => nce),
      each(({ nceEach }) => nceEach),
      each(({ accuracyEach }) => accuracyEach),
    ),
    head_nce: reports[0].headNce === undefined
      ? undefined
      : round(mean(({ headNce = NaN }) => headNce)),
    gradient_norm: round(mean(({ gradientNorm }) => gradientNorm)),
    rate: reports[reports.length - 1].rate,
  };
}

function figures(nce: number, nces: readonly number[], accuracies: readonly number[]) {
  return { nce: round(nce), nce_each: nces.map(round), accuracy_each: accuracies.map(round) };
}

/** Rounds to four decimals. */
function round(x: number): number {
  return Math.round(x * 1e4) / 1e4;
}
