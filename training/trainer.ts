/** One training run: weights, their running average, the optimizer, and the step. */
import type * as core from "@tensorflow/tfjs-core";
import { offlineFrames } from "../model/architecture.ts";
import type { Tensor } from "../model/safetensors.ts";
import type { Tensor2D, Tf } from "../model/tfjs/layers.ts";
import type { Bfloat16Products } from "./bfloat16.ts";
import { Network } from "./network.ts";
import { Adam, rateAt } from "./adam.ts";
import { type Batch, negativesOf } from "./batches.ts";
import type { TrainingConfig } from "./config.ts";
import { networkLoss } from "./loss.ts";
import { TransformerHead } from "./transformer_head.ts";

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
   * Trains on a batch.
   *
   * @throws {DivergedError} when the loss or its gradient is NaN or infinite: trained variables
   *   stay as before, but running statistics do not
   */
  train(batch: Batch): StepReport {
    const tf = this.#tf;
    const report = tf.tidy(() => {
      const { loss, gradients, nce, accuracy, headNce } = this.#mixed(() => this.#gradients(batch));
      this.#checkFinite("loss", loss);
      const gradientNorm = this.adam.apply(gradients, this.#step);
      this.#checkFinite("gradient's norm", gradientNorm);
      const nceEach = [...nce.dataSync()];
      return {
        step: this.#step + 1,
        nce: nceEach.reduce((sum, x) => sum + x, 0) / nceEach.length,
        nceEach,
        accuracyEach: [...accuracy.dataSync()],
        headNce: headNce?.dataSync()[0],
        gradientNorm,
        rate: rateAt(this.#step, this.config.optimizer),
      };
    });
    this.#average();
    this.#step++;
    return report;
  }

  #checkFinite(what: string, value: number): void {
    if (Number.isFinite(value)) return;
    throw new DivergedError(
      `the ${what} of step ${this.#step} is ${value}: lower optimizer.rate or optimizer.clip`,
    );
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

  /** Loss and gradients by tensor name; batch norm's running statistics move. */
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
    const [nce, accuracy, headNce] = figures.map((kept) => {
      const copy = kept.clone();
      kept.dispose();
      return copy;
    });
    const gradients = new Map<string, core.Tensor>();
    for (const [name, variable] of variables) {
      if (grads[variable.name]) gradients.set(name, grads[variable.name]);
    }
    return {
      loss: value.dataSync()[0],
      gradients,
      nce,
      accuracy,
      headNce: headNce as core.Tensor | undefined,
    };
  }

  #average(): void {
    if (this.averaged === this.network) return;
    const tf = this.#tf;
    // a young average should forget its random start
    const decay = Math.min(this.config.average, (1 + this.#step) / (10 + this.#step));
    const current = this.network.variables;
    for (const [name, average] of this.averaged.variables) {
      const value = current.get(name);
      if (value) {
        tf.tidy(() => average.assign(tf.add(tf.mul(average, decay), tf.mul(value, 1 - decay))));
      }
    }
  }

  /** Frees its memory. */
  dispose(): void {
    this.adam.dispose();
    this.head?.dispose();
    if (this.averaged !== this.network) this.averaged.dispose();
    this.network.dispose();
  }
}
