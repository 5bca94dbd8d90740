/**
 * A head for training only: contexts pass through one causal Transformer layer, shared by all k,
 * before they predict.
 *
 * Rivière et al. 2020 (arXiv:2002.02848) found features better when W_k c_t is replaced by such a
 * layer for each k. The served predictors stay linear: they learn beside it from contexts that they
 * do not move (`training/loss.ts`), and the head is not exported.
 *
 * Legend: B windows, S frames, C context width, Z latent width, A attention heads.
 */
import type * as core from "@tensorflow/tfjs-core";
import { NORM_EPS } from "../model/architecture.ts";
import { hashOf, normal, seeded } from "../model/seeded.ts";
import {
  type AnyTensor,
  relu,
  type Tensor2D,
  type Tensor3D,
  type Tf,
} from "../model/tfjs/layers.ts";

const ATTENTION_HEADS = 8;
/** Width of the feed-forward part, in multiples of C. */
const EXPANSION = 4;
/** A score that softmax turns into 0. */
const MASKED = -1e9;

/** Input and output sizes of a head. */
export interface HeadSizes {
  /** C */
  readonly context: number;
  /** Z */
  readonly latent: number;
  /** K */
  readonly steps: number;
}

/**
 * One Transformer layer (Vaswani et al. 2017, arXiv:1706.03762, norms after the sums, no dropout)
 * and K matrices after it.
 */
export class TransformerHead {
  readonly #tf: Tf;
  readonly #attentionHeads: number;
  /** By name, in the layout of matrix products, `[in, out]`. */
  readonly variables: ReadonlyMap<string, core.Variable>;

  /** @param seed each variable has its own generator, by its name */
  constructor(tf: Tf, { context, latent, steps }: HeadSizes, seed: number) {
    this.#tf = tf;
    this.#attentionHeads = context % ATTENTION_HEADS === 0 ? ATTENTION_HEADS : 1;
    const square = [context, context];
    const shapes: Record<string, number[]> = {
      "query.weight": square,
      "key.weight": square,
      "value.weight": square,
      "output.weight": square,
      "norm1.weight": [context],
      "norm1.bias": [context],
      "wide.weight": [context, EXPANSION * context],
      "wide.bias": [EXPANSION * context],
      "narrow.weight": [EXPANSION * context, context],
      "narrow.bias": [context],
      "norm2.weight": [context],
      "norm2.bias": [context],
    };
    for (let k = 0; k < steps; k++) shapes[`predictors.${k}.weight`] = [context, latent];
    this.variables = new Map(
      Object.entries(shapes).map(([name, shape]) => {
        const [rows, columns] = shape;
        const random = seeded(hashOf(seed, "head", name));
        const draw = columns === undefined
          ? () => name.endsWith("weight") ? 1 : 0 // norms begin as the identity
          : () => normal(random) * Math.sqrt(2 / (rows + columns)); // Glorot and Bengio 2010
        const data = Float32Array.from({ length: rows * (columns ?? 1) }, draw);
        return [name, tf.tidy(() => tf.variable(tf.tensor(data, shape)))];
      }),
    );
  }

  /**
   * Contexts after the layer; row t sees rows up to t.
   *
   * @param context `[B, S, C]`
   * @returns `[B · S, C]`
   */
  transform(context: Tensor3D): Tensor2D {
    const tf = this.#tf;
    const [batch, frames, width] = context.shape;
    const heads = this.#attentionHeads;
    const rows = tf.reshape(context, [batch * frames, width]) as Tensor2D;
    const split = (name: string) => {
      const projected = tf.reshape(tf.matMul(rows, this.#variable(name)), [
        batch,
        frames,
        heads,
        width / heads,
      ]);
      return tf.reshape(tf.transpose(projected, [0, 2, 1, 3]), [
        batch * heads,
        frames,
        width / heads,
      ]);
    };
    const scores = tf.div(
      tf.matMul(split("query.weight"), split("key.weight"), false, true),
      Math.sqrt(width / heads),
    ); // [B · A, S, S]
    const attention = tf.softmax(tf.add(scores, futureMask(tf, frames)));
    const seen = tf.reshape(tf.matMul(attention, split("value.weight")), [
      batch,
      heads,
      frames,
      width / heads,
    ]);
    const together = tf.reshape(tf.transpose(seen, [0, 2, 1, 3]), [batch * frames, width]);
    const attended = this.#norm(
      "norm1",
      tf.add(rows, tf.matMul(together, this.#variable<Tensor2D>("output.weight"))),
    );
    const wide: Tensor2D = tf.add(
      tf.matMul(attended, this.#variable<Tensor2D>("wide.weight")),
      this.#variable("wide.bias"),
    );
    const narrow = tf.add(
      tf.matMul(relu(tf, wide), this.#variable("narrow.weight")),
      this.#variable("narrow.bias"),
    );
    return this.#norm("norm2", tf.add(attended, narrow));
  }

  /**
   * Predictions of step k, or of some side by side, from the result of {@linkcode transform},
   * divided by √Z: after a norm, their products with z would begin far from 0.
   *
   * @param transformed `[N, C]`
   * @returns `[N, Z]` for each k
   */
  predict(transformed: Tensor2D, k: number | readonly number[]): Tensor2D {
    const tf = this.#tf;
    const weights = [k].flat().map((k) => this.#variable(`predictors.${k - 1}.weight`));
    const product: Tensor2D = tf.matMul(transformed, tf.concat(weights, 1));
    return tf.mul(product, 1 / Math.sqrt(weights[0].shape[1]));
  }

  /** Frees the variables. */
  dispose(): void {
    for (const variable of this.variables.values()) variable.dispose();
  }

  /** Layer norm (Ba et al. 2016, arXiv:1607.06450) of rows `[N, C]`. */
  #norm(name: string, x: AnyTensor): Tensor2D {
    const tf = this.#tf;
    const centred = tf.sub(x, tf.mean(x, 1, true));
    const scaled = tf.mul(
      centred,
      tf.rsqrt(tf.add(tf.mean(tf.square(centred), 1, true), NORM_EPS)),
    );
    return tf.add(tf.mul(scaled, this.#variable(`${name}.weight`)), this.#variable(`${name}.bias`));
  }

  #variable<T extends core.Tensor = Tensor2D>(name: string): T {
    const variable = this.variables.get(name);
    if (!variable) throw new TypeError(`the head has no variable ${name}`);
    return variable as core.Tensor as T;
  }
}

/** `[1, S, S]`: 0 up to the diagonal, and a score out of reach after it. */
function futureMask(tf: Tf, frames: number): Tensor3D {
  const mask = new Float32Array(frames * frames);
  for (let t = 0; t < frames; t++) mask.fill(MASKED, t * frames + t + 1, (t + 1) * frames);
  return tf.tensor3d(mask, [1, frames, frames]);
}
