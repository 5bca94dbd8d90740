/** One training run: weights, their running average, the optimizer, and the step. */
import type * as core from "@tensorflow/tfjs-core";
import { offlineFrames } from "../model/architecture.ts";
import type { Tensor } from "../model/safetensors.ts";
import type { Tensor2D, Tf } from "../model/tfjs/layers.ts";
import { isWebgpu } from "../model/tfjs/webgpu_kernel.ts";
import type { Bfloat16Products } from "./bfloat16.ts";
import { Network } from "./network.ts";
import { Adam, rateAt } from "./adam.ts";
import { type Batch, negativesOf } from "./batches.ts";
import type { TrainingConfig } from "./config.ts";
import { networkLoss } from "./loss.ts";
import { TransformerHead } from "./transformer_head.ts";
import { moveAverages } from "./webgpu_update.ts";

/** What a step reports. */
export interface StepReport {
  /** Steps done, including this one. */
  readonly step: number;
  /** Of the model's own predictors: mean over k, in nats, and of each k. */
  readonly nce: number;
  readonly nceEach: readonly number[];
  readonly accuracyEach: readonly number[];
  /** Of the head: mean over k, in nats. */
  readonly headNce?: number;
  /** Of all gradients, before clipping. */
  readonly gradientNorm: number;
  readonly rate: number;
}

/** The loss or its gradient is not finite: the run cannot continue. */
export class DivergedError extends Error {
  override readonly name = "DivergedError";
}

/** A step whose figures were not read yet. */
interface Unread {
  /** 0-based */
  readonly step: number;
  /** Loss, square of the gradients' norm, nce and accuracy `[K]`, and a head's nce. */
  readonly figures: core.Tensor;
}

/** A run in memory. */
export class Trainer {
  readonly config: TrainingConfig;
  readonly network: Network;
  /**
   * What is measured and exported: the running average of the weights, or the weights themselves.
   */
  readonly averaged: Network;
  /** Predicts in place of the model's own predictors, if the configuration asks for it. */
  readonly head?: TransformerHead;
  readonly adam: Adam;
  readonly #tf: Tf;
  readonly #products?: Bfloat16Products;
  #unread: Unread[] = [];
  #step = 0;

  /**
   * @param options `tensors`: initial weights; `products`: switches the encoder's products to
   *   bfloat16
   */
  constructor(
    tf: Tf,
    { config, tensors, products }: {
      config: TrainingConfig;
      tensors: ReadonlyMap<string, Tensor>;
      products?: Bfloat16Products;
    },
  ) {
    this.#tf = tf;
    this.#products = products;
    this.config = config;
    this.network = new Network(tf, { config: config.model, tensors });
    this.averaged = config.average > 0
      ? new Network(tf, { config: config.model, tensors })
      : this.network;
    const { model: { encoder, context, predictors }, seed } = config;
    if (config.head === "transformer" && predictors) {
      const sizes = {
        context: context.hidden,
        latent: encoder[encoder.length - 1].channels,
        steps: predictors.steps,
      };
      this.head = new TransformerHead(tf, sizes, seed);
    }
    this.adam = new Adam(tf, this.#trainable, config.optimizer);
  }

  /** The variables that the optimizer moves, by name: the network's, and the head's as `head.…`. */
  get #trainable(): Map<string, core.Variable> {
    const ofHead = [...this.head?.variables ?? []].map(([name, variable]) =>
      [`head.${name}`, variable] as const
    );
    return new Map([...this.network.trainable, ...ofHead]);
  }

  /** Of the encoder's products. */
  get precision(): "fp32" | "bf16" {
    return this.#products ? "bf16" : "fp32";
  }

  /** Steps done. */
  get step(): number {
    return this.#step;
  }

  /** Continues after a step whose weights and moments were restored. */
  continueAt(step: number): void {
    this.#step = step;
  }

  /**
   * Trains on a batch. WebGPU only receives the work: to read there means to wait for the card.
   *
   * @throws {DivergedError} when the loss or its gradient is NaN or infinite: trained variables
   *   stay as before, but running statistics do not. On WebGPU, {@linkcode reports} finds it
   */
  async train(batch: Batch): Promise<void> {
    const tf = this.#tf;
    const step = this.#step;
    const { loss, parts, ...made } = tf.tidy(() => this.#mixed(() => this.#gradients(batch)));
    const gradients = new Map(Object.entries(made.gradients));
    const squares = this.adam.squaredNorm(gradients);
    const figures = tf.tidy(() =>
      tf.concat([loss, squares, ...parts].map((part) => tf.reshape(part, [-1])))
    );
    try {
      const norm = isWebgpu(tf)
        ? tf.tidy((): core.Scalar => tf.sqrt(squares))
        : this.#report(step, await figures.data<"float32">()).gradientNorm;
      this.adam.apply(gradients, { step, norm });
      if (typeof norm !== "number") norm.dispose();
    } catch (error) {
      figures.dispose();
      throw error;
    } finally {
      tf.dispose([loss, squares, ...parts, ...gradients.values()]);
    }
    this.#unread.push({ step, figures });
    this.#average();
    this.#step++;
  }

  /**
   * The reports of the steps since the last call, from one reading.
   *
   * @throws {DivergedError} when the loss or the gradient of one is NaN or infinite
   */
  async reports(): Promise<StepReport[]> {
    const tf = this.#tf;
    const unread = this.#unread;
    if (unread.length === 0) return [];
    this.#unread = [];
    const all = tf.tidy(() => tf.concat(unread.map(({ figures }) => figures)));
    tf.dispose(unread.map(({ figures }) => figures));
    const data = await all.data<"float32">().finally(() => all.dispose());
    const width = data.length / unread.length;
    return unread.map(({ step }, i) =>
      this.#report(step, data.subarray(i * width, (i + 1) * width))
    );
  }

  /** @throws {DivergedError} when the loss or the gradient is NaN or infinite */
  #report(step: number, [loss, squares, ...figures]: Float32Array): StepReport {
    const { optimizer, model: { predictors } } = this.config;
    const steps = predictors?.steps ?? 0;
    const gradientNorm = Math.sqrt(squares);
    for (const [what, value] of Object.entries({ loss, "gradient's norm": gradientNorm })) {
      if (Number.isFinite(value)) continue;
      throw new DivergedError(
        `the ${what} of step ${step} is ${value}: lower optimizer.rate or optimizer.clip`,
      );
    }
    const nceEach = figures.slice(0, steps);
    return {
      step: step + 1,
      nce: nceEach.reduce((sum, x) => sum + x, 0) / steps,
      nceEach,
      accuracyEach: figures.slice(steps, 2 * steps),
      headNce: figures[2 * steps],
      gradientNorm,
      rate: rateAt(step, optimizer),
    };
  }

  #mixed<T>(compute: () => T): T {
    if (!this.#products) return compute();
    this.#products.enabled = true;
    try {
      return compute();
    } finally {
      this.#products.enabled = false;
    }
  }

  /**
   * Loss, gradients by tensor name, and nce, accuracy, a head's nce; batch norm's running
   * statistics move.
   */
  #gradients({ samples, past, seed }: Batch) {
    const tf = this.#tf;
    const { batch: { voices, windows_per_voice, window_samples: length }, negatives, model } =
      this.config;
    const windows = voices * windows_per_voice;
    const frames = offlineFrames(model, length);
    const rows = negativesOf({ windows, voices, frames }, { negatives, seed });
    const input = tf.tensor2d(samples, [windows, length]);
    const heard: Tensor2D | undefined = past && tf.tensor2d(past, [windows, length]);
    const variables = this.#trainable;
    const figures: core.Tensor[] = [];
    const { value, grads } = tf.variableGrads(() => {
      const { loss, nce, accuracy, headNce } = networkLoss(tf, this.network, {
        windows: [input],
        past: heard,
        negatives: rows,
        head: this.head,
        training: true,
      });
      for (const figure of [nce, accuracy, headNce]) if (figure) figures.push(tf.keep(figure));
      return loss;
    }, [...variables.values()]);
    const parts = figures.map((kept) => {
      const copy = kept.clone();
      kept.dispose();
      return copy;
    });
    const gradients: core.NamedTensorMap = {};
    for (const [name, variable] of variables) {
      if (grads[variable.name]) gradients[name] = grads[variable.name];
    }
    return { loss: value, gradients, parts };
  }

  #average(): void {
    if (this.averaged === this.network) return;
    const tf = this.#tf;
    // a young average should forget its random start
    const decay = Math.min(this.config.average, (1 + this.#step) / (10 + this.#step));
    const current = this.network.variables;
    const pairs = [...this.averaged.variables].flatMap(([name, average]) => {
      const value = current.get(name);
      return value ? [{ average, value }] : [];
    });
    if (isWebgpu(tf)) return moveAverages(tf, pairs, decay);
    for (const { average, value } of pairs) {
      tf.tidy(() => average.assign(tf.add(tf.mul(average, decay), tf.mul(value, 1 - decay))));
    }
  }

  /** Frees its memory. */
  dispose(): void {
    this.#tf.dispose(this.#unread.map(({ figures }) => figures));
    this.adam.dispose();
    this.head?.dispose();
    if (this.averaged !== this.network) this.averaged.dispose();
    this.network.dispose();
  }
}
