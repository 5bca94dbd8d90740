/** A head's run on disk: what it is, and where it stopped. */
import { join } from "node:path";
import { z } from "zod";
import { CpcError } from "../../errors.ts";
import {
  readSafetensors,
  safetensorsMetadata,
  type Tensor as StoredTensor,
  writeSafetensors,
} from "../../model/safetensors.ts";
import type { Tf } from "../../model/tfjs/layers.ts";
import { bytesOf, jsonOf, replaceFile, textOf } from "../files.ts";
import { headTensorShapes } from "./network.ts";
import type { HeadTrainer } from "./trainer.ts";

const CHECKPOINT = "checkpoint.safetensors";
const CONFIG = "config.json";

const progressSchema = z.object({
  step: z.coerce.number().int().min(0),
  bestStep: z.coerce.number().int().min(0),
  bestLoss: z.string().transform(Number), // Infinity before the first look
  worse: z.coerce.number().int().min(0),
});

/** Whatever else a file holds, the run did not begin with. */
const makingSchema = z.record(z.string(), z.unknown()).catch({});
/** What a run depends on. */
export type HeadMaking = Readonly<Record<string, unknown>>;

/** The folder of a head's run. */
export class HeadRun {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Creates the folder, or compares what the run depends on with what it began with.
   *
   * @throws {CpcError} `invalid_option` when something differs, naming it
   */
  async open(making: HeadMaking): Promise<void> {
    const file = join(this.path, CONFIG);
    const text = JSON.stringify(making, null, 2) + "\n";
    const before = await textOf(file);
    if (before === text) return;
    if (before !== undefined && await bytesOf(join(this.path, CHECKPOINT))) {
      const was = makingSchema.parse(jsonOf(before));
      const changed = Object.keys(making).filter((key) =>
        JSON.stringify(was[key]) !== JSON.stringify(making[key])
      );
      if (changed.length === 0) return;
      throw new CpcError(
        "invalid_option",
        `${this.path} holds a run with other options (${
          changed.join(", ")
        } differ): name another --out, or remove it`,
      );
    }
    await Deno.mkdir(this.path, { recursive: true });
    await replaceFile(file, new TextEncoder().encode(text));
  }

  /**
   * Restores a run.
   *
   * @returns whether there was one
   * @throws {CpcError} `weights_invalid` when the checkpoint is broken
   */
  async restore(tf: Tf, trainer: HeadTrainer): Promise<boolean> {
    const file = join(this.path, CHECKPOINT);
    const bytes = await bytesOf(file);
    if (!bytes) return false;
    const progress = progressSchema.safeParse(safetensorsMetadata(bytes, file));
    if (!progress.success) {
      throw new CpcError("weights_invalid", `${file} is not a checkpoint of a head: remove it`);
    }
    const tensors = readSafetensors(bytes, file);
    const read = (name: string): StoredTensor => {
      const tensor = tensors.get(name);
      if (!tensor) throw new CpcError("weights_invalid", `${file}: tensor ${name} is missing`);
      return tensor;
    };
    for (const [name, variable] of trainer.network.variables) {
      const { mean, square } = trainer.adam.moments.get(name)!;
      for (
        const [place, target] of [["now", variable], ["mean", mean], ["square", square]] as const
      ) {
        const { data, shape } = read(`${place}/${name}`);
        tf.tidy(() => target.assign(tf.tensor(data, [...shape])));
      }
    }
    trainer.best = new Map(
      [...headTensorShapes(trainer.network.shape).keys()].map((
        name,
      ) => [name, read(`best/${name}`).data]),
    );
    trainer.progress = progress.data;
    return true;
  }

  /** Writes where the run stands. */
  async save({ network, adam, best, progress }: HeadTrainer): Promise<void> {
    const tensors = new Map<string, StoredTensor>();
    for (const [name, shape] of headTensorShapes(network.shape)) {
      const { mean, square } = adam.moments.get(name)!;
      const now = network.variables.get(name)!;
      for (const [place, from] of [["now", now], ["mean", mean], ["square", square]] as const) {
        tensors.set(`${place}/${name}`, { shape, data: from.dataSync<"float32">() });
      }
      tensors.set(`best/${name}`, { shape, data: best.get(name)! });
    }
    const metadata = Object.fromEntries(
      Object.entries(progress).map(([key, value]) => [key, String(value)]),
    );
    await replaceFile(join(this.path, CHECKPOINT), writeSafetensors(tensors, { metadata }));
  }
}
