/**
 * A training run on disk: `config.json`, `checkpoint.safetensors` (weights, their average, a head,
 * the optimizer's moments, the step), `log.jsonl`, `loss.svg`, and `weights/` (ready to serve),
 * written so that a crash at any moment leaves the last ones whole.
 */
import { join } from "node:path";
import type * as core from "@tensorflow/tfjs-core";
import { z } from "zod";
import { CpcError } from "../errors.ts";
import type { Tensor as StoredTensor } from "../model/safetensors.ts";
import { readSafetensors, safetensorsMetadata, writeSafetensors } from "../model/safetensors.ts";
import type { Tf } from "../model/tfjs/layers.ts";
import { type TrainingConfig, trainingConfigSchema } from "./config.ts";
import { bytesOf, jsonOf, replaceFile, textOf } from "./files.ts";
import type { Trainer } from "./trainer.ts";

const CHECKPOINT = "checkpoint.safetensors";

const progressSchema = z.object({
  step: z.coerce.number().int().min(0),
  seconds: z.coerce.number().min(0),
  // missing in older checkpoints:
  precision: z.enum(["fp32", "bf16"]).optional(),
  data: z.string().optional(),
});
/**
 * A run's progress: steps done, seconds spent over all sittings, the precision of the encoder's
 * products, and a digest of the recordings.
 */
export type Progress = z.infer<typeof progressSchema>;

/** The folder of one run. */
export class RunFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Creates the folder, or compares the configuration with the one that the run began with; members
   * that it lacks have their defaults.
   *
   * @throws {CpcError} `invalid_option` when it holds a run with another configuration
   */
  async open(config: TrainingConfig): Promise<void> {
    const file = join(this.path, "config.json");
    const text = JSON.stringify(config, null, 2) + "\n";
    const before = await textOf(file);
    if (before === text) return;
    if (before !== undefined && await bytesOf(join(this.path, CHECKPOINT))) {
      const was = trainingConfigSchema.safeParse(jsonOf(before));
      if (!was.success) {
        throw new CpcError(
          "invalid_option",
          `${file} is not a training configuration: choose another --out`,
        );
      }
      const keys = Object.keys(trainingConfigSchema.shape) as (keyof TrainingConfig)[];
      const changed = keys.filter((key) =>
        JSON.stringify(was.data[key]) !== JSON.stringify(config[key])
      );
      if (changed.length === 0) return;
      throw new CpcError(
        "invalid_option",
        `${this.path} holds a run with another configuration (${
          changed.join(", ")
        } differ): name another --out`,
      );
    }
    await Deno.mkdir(this.path, { recursive: true });
    await replaceFile(file, new TextEncoder().encode(text));
  }

  /**
   * The run's progress; undefined when there is no checkpoint yet. @throws {CpcError}
   * `weights_invalid` when it is broken
   */
  async progress(): Promise<Progress | undefined> {
    const bytes = await bytesOf(join(this.path, CHECKPOINT));
    return bytes && this.#progressOf(bytes);
  }

  #progressOf(checkpoint: Uint8Array): Progress {
    const file = join(this.path, CHECKPOINT);
    const progress = progressSchema.safeParse(safetensorsMetadata(checkpoint, file));
    if (progress.success) return progress.data;
    throw new CpcError(
      "weights_invalid",
      `${file} is not a checkpoint of a run: ${z.prettifyError(progress.error)}`,
    );
  }

  /**
   * Restores a run's state into a trainer; undefined when there is none yet. @throws {CpcError}
   * `weights_invalid` when it is broken
   */
  async restore(tf: Tf, trainer: Trainer): Promise<Progress | undefined> {
    const file = join(this.path, CHECKPOINT);
    const bytes = await bytesOf(file);
    if (!bytes) return undefined;
    const progress = this.#progressOf(bytes);
    const tensors = readSafetensors(bytes, file);
    const part = (prefix: string) => {
      const of = [...tensors].filter(([name]) => name.startsWith(prefix));
      return new Map(of.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
    };
    trainer.network.assign(part("weights/"));
    if (trainer.averaged !== trainer.network) trainer.averaged.assign(part("average/"));
    for (const [name, variable] of rawVariables(trainer)) {
      const tensor = tensors.get(name);
      if (!tensor) throw new CpcError("weights_invalid", `${file}: tensor ${name} is missing`);
      tf.tidy(() => variable.assign(tf.tensor(tensor.data, [...tensor.shape])));
    }
    trainer.continueAt(progress.step);
    return progress;
  }

  /**
   * Writes a run's state, and its weights as a folder for `start --model`.
   *
   * @param spent `seconds` of all sittings; `data`: the digest of the recordings
   */
  async save(
    trainer: Trainer,
    { seconds, data }: { seconds: number; data: string },
  ): Promise<void> {
    const tensors = new Map<string, StoredTensor>();
    for (const [name, tensor] of await trainer.network.toTensors()) {
      tensors.set(`weights/${name}`, tensor);
    }
    const given = await trainer.averaged.toTensors();
    if (trainer.averaged !== trainer.network) {
      for (const [name, tensor] of given) tensors.set(`average/${name}`, tensor);
    }
    for (const [name, variable] of rawVariables(trainer)) {
      tensors.set(name, { shape: variable.shape, data: await variable.data<"float32">() });
    }
    const metadata = {
      step: String(trainer.step),
      seconds: String(seconds),
      precision: trainer.precision,
      data,
    };
    await replaceFile(join(this.path, CHECKPOINT), writeSafetensors(tensors, { metadata }));
    const folder = join(this.path, "weights");
    await Deno.mkdir(folder, { recursive: true });
    const dtype = (name: string) => name.includes(".running_") ? "F32" : "F16";
    await replaceFile(
      join(folder, "model.safetensors"),
      writeSafetensors(given, { dtype, metadata }),
    );
    const config = JSON.stringify(trainer.config.model, null, 2) + "\n";
    await replaceFile(join(folder, "config.json"), new TextEncoder().encode(config));
  }

  /** Drops the lines of the log after a step, since they will be written again. */
  async rewindLog(step: number): Promise<void> {
    const kept = (await this.log()).filter((entry) => entry.step <= step);
    const text = kept.map((entry) => JSON.stringify(entry) + "\n").join("");
    await replaceFile(join(this.path, "log.jsonl"), new TextEncoder().encode(text));
  }

  /** Adds a line to the log. */
  async append(entry: LogEntry): Promise<void> {
    await Deno.writeTextFile(join(this.path, "log.jsonl"), JSON.stringify(entry) + "\n", {
      append: true,
    });
  }

  /**
   * The lines of the log, without one that a crash cut short. @throws {CpcError} `invalid_option`
   * for any other broken line
   */
  async log(): Promise<LogEntry[]> {
    const file = join(this.path, "log.jsonl");
    const lines = (await textOf(file) ?? "").split("\n");
    lines.pop(); // after the last line's end: nothing, or a line cut short
    return lines.map((line, i) => {
      const entry = logSchema.safeParse(jsonOf(line));
      if (!entry.success) {
        throw new CpcError(
          "invalid_option",
          `${file}, line ${i + 1} is not a line of a training log`,
        );
      }
      return entry.data;
    });
  }

  /** Replaces a file of the run, such as the picture of its loss. */
  async write(name: string, text: string): Promise<void> {
    await replaceFile(join(this.path, name), new TextEncoder().encode(text));
  }
}

/** What a checkpoint keeps in the layout of computation: the optimizer's moments, and a head. */
function rawVariables({ adam, head }: Trainer): Map<string, core.Variable> {
  const variables = new Map(
    [...head?.variables ?? []].map(([name, variable]) => [`head/${name}`, variable]),
  );
  for (const [name, { mean, square }] of adam.moments) {
    variables.set(`adam.mean/${name}`, mean);
    variables.set(`adam.square/${name}`, square);
  }
  return variables;
}

const figures = {
  nce: z.number(),
  nce_each: z.array(z.number()),
  accuracy_each: z.array(z.number()),
};
const logSchema = z.object({
  step: z.number(),
  /** Seconds of training, in all sittings. */
  seconds: z.number(),
  /** Means over the steps since the last line. */
  train: z.object({
    ...figures,
    head_nce: z.number().optional(),
    gradient_norm: z.number(),
    rate: z.number(),
    audio_s_per_s: z.number(),
  }).optional(),
  dev: z.object(figures).optional(),
});
/** A line of `log.jsonl`; nce in nats, one value per k. */
export type LogEntry = z.infer<typeof logSchema>;
