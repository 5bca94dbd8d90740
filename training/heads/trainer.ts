/** Trains a head on frozen features, until the held-out loss no longer falls. */
import type * as core from "@tensorflow/tfjs-core";
import type { Tensor2D, Tensor3D, Tf } from "../../model/tfjs/layers.ts";
import { Adam } from "../adam.ts";
import { DivergedError } from "../trainer.ts";
import { HeadNetwork, type HeadShape } from "./network.ts";
import type { HeardRecording } from "./rows.ts";
import {
  balance,
  batchAt,
  packed,
  type Scale,
  type Window,
  type WindowBatch,
  windowsOf,
} from "./windows.ts";

/** Held-out windows that pass the head at once. */
const DEV_AT_ONCE = 32;
/** Fewest steps between two looks at the held-out rows. */
const LEAST_EVAL_STEPS = 25;

/** How a head is trained. */
export interface HeadOptions {
  readonly seed: number;
  /** Windows of a step. */
  readonly batch: number;
  readonly rate: number;
  /** Most steps. */
  readonly steps: number;
  /** Looks at the held-out rows without a better one before it stops. */
  readonly patience: number;
}

/** What a run remembers besides its tensors. */
export interface HeadProgress {
  readonly step: number;
  readonly bestStep: number;
  readonly bestLoss: number;
  /** Looks since the best. */
  readonly worse: number;
}

/** A head in training. */
export class HeadTrainer {
  readonly network: HeadNetwork;
  readonly adam: Adam;
  /** Weights of the best look. */
  best: Map<string, Float32Array>;
  progress: HeadProgress = { step: 0, bestStep: 0, bestLoss: Infinity, worse: 0 };
  readonly #tf: Tf;
  readonly #options: HeadOptions;
  readonly #scale: Scale;
  readonly #train: readonly Window[];
  readonly #dev: readonly Window[];
  readonly #classWeights: Float64Array;

  constructor(
    tf: Tf,
    { shape, options, scale, train, dev }: {
      shape: HeadShape;
      options: HeadOptions;
      scale: Scale;
      train: readonly HeardRecording[];
      dev: readonly HeardRecording[];
    },
  ) {
    this.#tf = tf;
    this.#options = options;
    this.#scale = scale;
    this.network = new HeadNetwork(tf, shape, options.seed);
    this.best = this.network.weights();
    const warmUp = shape.type === "gru";
    this.#train = windowsOf(train, { warmUp });
    this.#dev = windowsOf(dev, { warmUp });
    this.#classWeights = balance(train, shape.labels);
    this.adam = new Adam(tf, this.network.variables, {
      rate: options.rate,
      warmup_steps: 20,
      steps: options.steps,
      final_share: 0.02,
      beta1: 0.9,
      beta2: 0.999,
      clip: 5,
    });
  }

  /** Steps between two looks at the held-out rows: an epoch, or a few steps more. */
  get evalSteps(): number {
    return Math.max(LEAST_EVAL_STEPS, Math.ceil(this.#train.length / this.#options.batch));
  }

  /** Whether the run is over: its steps are done, or the held-out loss no longer falls. */
  get isOver(): boolean {
    const { step, worse } = this.progress;
    return step >= this.#options.steps || worse >= this.#options.patience;
  }

  /**
   * Takes a step.
   *
   * @returns the mean loss of its rows, in nats
   * @throws {DivergedError} when the loss is not finite
   */
  train(): number {
    const { step } = this.progress;
    const { batch: size, seed } = this.#options;
    const batch = this.#packed(batchAt(this.#train, { step, size, seed }));
    const tf = this.#tf;
    const loss = tf.tidy(() => {
      const variables = [...this.network.variables];
      const { value, grads } = tf.variableGrads(
        () => this.#loss(batch) as core.Scalar,
        variables.map(([, variable]) => variable),
      );
      const gradients = new Map(variables.map(([name, { name: id }]) => [name, grads[id]]));
      const norm = Math.sqrt(this.adam.squaredNorm(gradients).dataSync()[0]);
      this.adam.apply(gradients, { step, norm });
      const loss = value.dataSync()[0];
      if (Number.isFinite(norm) && Number.isFinite(loss)) return loss;
      throw new DivergedError(`the loss of step ${step} is ${loss}: lower --rate`);
    });
    this.progress = { ...this.progress, step: step + 1 };
    return loss;
  }

  /** Looks at the held-out rows and keeps the weights if none were better. @returns mean loss */
  look(): number {
    let [sum, weight] = [0, 0];
    for (let at = 0; at < this.#dev.length; at += DEV_AT_ONCE) {
      const batch = this.#packed(this.#dev.slice(at, at + DEV_AT_ONCE));
      const own = batch.weights.reduce((a, b) => a + b, 0);
      if (own === 0) continue;
      sum += own * this.#tf.tidy(() => this.#loss(batch).dataSync()[0]);
      weight += own;
    }
    const loss = sum / weight;
    const { step, bestLoss, worse } = this.progress;
    if (loss < bestLoss) {
      this.best = this.network.weights();
      this.progress = { step, bestStep: step, bestLoss: loss, worse: 0 };
    } else this.progress = { ...this.progress, worse: worse + 1 };
    return loss;
  }

  #packed(windows: readonly Window[]): WindowBatch {
    return packed(windows, { scale: this.#scale, classWeights: this.#classWeights });
  }

  /** Mean over the rows of weight · −log p(label). */
  #loss({ windows, rows, features, labels, weights }: WindowBatch): core.Tensor {
    const tf = this.#tf;
    const { width, labels: L } = this.network.shape;
    const x = tf.tensor(features, [rows, windows, width]) as Tensor3D;
    const logits = this.network.logits(x); // [T · B, L]
    const top = tf.max(logits, 1, true);
    const shifted = tf.sub(logits, top) as Tensor2D;
    const logSum = tf.log(tf.sum(tf.exp(shifted), 1)); // [T · B]
    const wanted = new Float32Array(labels.length * L);
    labels.forEach((label, i) => wanted[i * L + label] = 1);
    const own = tf.sum(tf.mul(shifted, tf.tensor(wanted, [labels.length, L])), 1);
    const each = tf.mul(tf.sub(logSum, own), tf.tensor1d(weights));
    const total = weights.reduce((sum, weight) => sum + weight, 0) || 1;
    return tf.div(tf.sum(each), total);
  }

  /** Frees its memory. */
  dispose(): void {
    this.adam.dispose();
    this.network.dispose();
  }
}
