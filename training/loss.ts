/** The loss of a network on windows: encoder, context, predictions against sampled negatives. */
import type * as core from "@tensorflow/tfjs-core";
import { CpcError } from "../errors.ts";
import type { Tensor2D, Tensor3D, Tf } from "../model/tfjs/layers.ts";
import type { Network } from "./network.ts";
import { type NegativeRows, type SampledLoss, sampledLoss } from "./sampled_loss.ts";
import type { TransformerHead } from "./transformer_head.ts";

/** The loss, and a head's part in it. */
export interface NetworkLoss extends SampledLoss {
  readonly headNce?: core.Scalar;
}

/**
 * The sampled objective of a network. For a model with a reversed context network, it is the mean
 * of the forward loss and of the reversed network's loss on the windows played backwards, as in the
 * original CDCK6.
 *
 * @param options `windows`: parts of a batch, `[n, samples]` each, which pass the encoder one after
 *   another; `past`: what the context hears instead; `head`: trains the encoder and the context
 *   network, while the model's own predictors learn from latents and contexts that they do not
 *   move; the loss is then the sum of both; `training`: batch norm uses the statistics of each part
 * @returns nce and accuracy `[K]` of the model's own predictors, and the head's mean nce
 */
export function networkLoss(
  tf: Tf,
  network: Network,
  { windows, past, negatives, head, training = false }: {
    windows: readonly Tensor2D[];
    past?: Tensor2D;
    negatives: NegativeRows;
    head?: TransformerHead;
    training?: boolean;
  },
): NetworkLoss {
  const forward = directionLoss(tf, network, {
    windows,
    past,
    negatives,
    head,
    training,
    reverse: false,
  });
  if (!network.config.reverse?.predictors) return forward;
  const backwards = windows.map((part) => tf.reverse(part, 1));
  const reverse = directionLoss(tf, network, {
    windows: backwards,
    past: past && tf.reverse(past, 1),
    negatives,
    training,
    reverse: true,
  });
  const mean = <T extends SampledLoss[keyof SampledLoss]>(a: T, b: T): T =>
    tf.mul(tf.add(a, b), 0.5);
  return {
    loss: mean(forward.loss, reverse.loss),
    nce: mean(forward.nce, reverse.nce),
    accuracy: mean(forward.accuracy, reverse.accuracy),
  };
}

function directionLoss(
  tf: Tf,
  network: Network,
  { windows, past, negatives, head, training, reverse }: {
    windows: readonly Tensor2D[];
    past?: Tensor2D;
    negatives: NegativeRows;
    head?: TransformerHead;
    training: boolean;
    reverse: boolean;
  },
): NetworkLoss {
  const steps = (reverse ? network.config.reverse?.predictors : network.config.predictors)?.steps;
  if (!steps) {
    throw new CpcError("weights_invalid", "the model has no predictors, so it cannot be trained");
  }
  const encoded = windows.map((part) =>
    training ? network.encode(part, { training }) : tf.tidy(() => network.encode(part))
  );
  const latent = tf.concat(encoded, 0) as Tensor3D; // [N, T, Z]
  const [count, frames, width] = latent.shape;
  const from = frames - steps;
  // serving norms by clean audio
  const heard = past ? network.encode(past, { training, moves: false }) : latent;
  const { hidden } = network.context(
    tf.slice(heard, [0, 0, 0], [count, Math.max(1, from), width]),
    { reverse },
  );
  const rows = tf.reshape(hidden, [-1, hidden.shape[2]]) as Tensor2D; // [N · S, C]
  if (!head) {
    return sampledLoss(tf, {
      latent,
      steps,
      predict: (ks) => network.predict(rows, ks, { reverse }),
      negatives,
    });
  }
  const transformed = head.transform(hidden);
  const { loss } = sampledLoss(tf, {
    latent,
    steps,
    predict: (ks) => head.predict(transformed, ks),
    negatives,
  });
  const [still, contexts] = [unmoved(tf, latent), unmoved(tf, rows)];
  const own = sampledLoss(tf, {
    latent: still,
    steps,
    predict: (ks) => network.predict(contexts, ks),
    negatives,
  });
  return { ...own, loss: tf.add(loss, own.loss), headNce: loss };
}

/** The same numbers, through which no gradient passes. */
function unmoved<T extends core.Tensor>(tf: Tf, x: T): T {
  return tf.customGrad((x) => ({ value: (x as T).clone(), gradFunc: () => tf.zerosLike(x as T) }))(
    x,
  ) as T;
}
