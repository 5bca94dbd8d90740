/**
 * Adam (Kingma and Ba 2015, arXiv:1412.6980) with its state accessible, so that a run resumes where
 * it stopped.
 */
import type * as core from "@tensorflow/tfjs-core";
import type { Tf } from "../model/tfjs/layers.ts";
import { isWebgpu } from "../model/tfjs/webgpu_kernel.ts";
import type { TrainingConfig } from "./config.ts";
import { adamInPlace, sumOfSquares } from "./webgpu_update.ts";

const EPSILON = 1e-8;

/** The optimizer of one set of variables. */
export class Adam {
  readonly #tf: Tf;
  readonly #variables: ReadonlyMap<string, core.Variable>;
  readonly #options: TrainingConfig["optimizer"];
  /** Means of the gradient and of its square, by tensor name, in the variables' own layout. */
  readonly moments: ReadonlyMap<
    string,
    { readonly mean: core.Variable; readonly square: core.Variable }
  >;

  constructor(
    tf: Tf,
    variables: ReadonlyMap<string, core.Variable>,
    options: TrainingConfig["optimizer"],
  ) {
    this.#tf = tf;
    this.#variables = variables;
    this.#options = options;
    const zero = (variable: core.Variable) =>
      tf.tidy(() => tf.variable(tf.zerosLike(variable), false));
    this.moments = new Map(
      [...variables].map(([name, v]) => [name, { mean: zero(v), square: zero(v) }]),
    );
  }

  /** The square of the norm of all gradients together. */
  squaredNorm(gradients: ReadonlyMap<string, core.Tensor>): core.Scalar {
    const tf = this.#tf;
    if (isWebgpu(tf)) return sumOfSquares(tf, [...gradients.values()]);
    return tf.tidy(() => tf.addN([...gradients.values()].map((x) => tf.sum(tf.square(x)))));
  }

  /**
   * Updates the variables by their gradients. A norm that is not finite changes nothing; one that
   * stays on the device is not looked at.
   *
   * @param gradients by tensor name; a variable without one stays
   * @param options `step`: 0-based; determines the rate and the bias correction; `norm`: of all
   *   gradients together, before clipping: a number, or a scalar that nobody has read
   */
  apply(
    gradients: ReadonlyMap<string, core.Tensor>,
    { step, norm }: { step: number; norm: number | core.Scalar },
  ): void {
    if (typeof norm === "number" && !Number.isFinite(norm)) return;
    const tf = this.#tf;
    const { beta1, beta2, clip } = this.#options;
    const rate = rateAt(step, this.#options) * Math.sqrt(1 - beta2 ** (step + 1)) /
      (1 - beta1 ** (step + 1));
    const moves = [...gradients].map(([name, gradient]) => {
      const value = this.#variables.get(name);
      const moments = this.moments.get(name);
      if (!value || !moments) throw new TypeError(`no variable ${name} is trained here`);
      return { value, ...moments, gradient };
    });
    if (typeof norm !== "number" && isWebgpu(tf)) {
      const options = { norm, rate, beta1, beta2, clip, epsilon: EPSILON };
      for (const move of moves) adamInPlace(tf, move, options);
      return;
    }
    const scale = typeof norm !== "number"
      ? tf.tidy((): core.Tensor => tf.div(clip, tf.maximum(norm, clip)))
      : norm > clip
      ? clip / norm
      : 1;
    for (const { value, mean, square, gradient: raw } of moves) {
      tf.tidy(() => {
        const gradient = scale === 1 ? raw : tf.mul(raw, scale);
        mean.assign(tf.add(tf.mul(mean, beta1), tf.mul(gradient, 1 - beta1)));
        square.assign(tf.add(tf.mul(square, beta2), tf.mul(tf.square(gradient), 1 - beta2)));
        value.assign(tf.sub(value, tf.div(tf.mul(mean, rate), tf.add(tf.sqrt(square), EPSILON))));
      });
    }
    if (typeof scale !== "number") scale.dispose();
  }

  /** Frees the state. */
  dispose(): void {
    for (const { mean, square } of this.moments.values()) this.#tf.dispose([mean, square]);
  }
}

/**
 * The learning rate of a step: linear warm-up, then a cosine from the peak down to `final_share` of
 * it.
 */
export function rateAt(
  step: number,
  { rate, warmup_steps, steps, final_share }: TrainingConfig["optimizer"],
): number {
  if (step < warmup_steps) return rate * (step + 1) / warmup_steps;
  const done = Math.min(1, (step - warmup_steps) / Math.max(1, steps - warmup_steps));
  return rate * (final_share + (1 - final_share) * (1 + Math.cos(Math.PI * done)) / 2);
}
