/** The loss of a network on windows: encoder, context, predictions against sampled negatives. */
import { CpcError } from "../errors.ts";
import type { Tensor2D, Tensor3D, Tf } from "../model/tfjs/layers.ts";
import type { Network } from "../model/tfjs/network.ts";
import { type NegativeRows, type SampledLoss, sampledLoss } from "../model/tfjs/objective.ts";

/**
 * The sampled objective of a network. Of a model with a reversed context network, the mean of the forward loss and of the reversed
 * network's on the windows played backwards, as in the original CDCK6.
 *
 * @param options `windows`: parts of a batch, `[n, samples]` each, which pass the encoder one after another; `past`: what the context
 *   hears instead; `training`: batch norm by the statistics of each part
 * @returns nce and accuracy `[K]`
 */
export function networkLoss(
  tf: Tf,
  network: Network,
  { windows, past, negatives, training = false }: {
    windows: readonly Tensor2D[];
    past?: Tensor2D;
    negatives: NegativeRows;
    training?: boolean;
  },
): SampledLoss {
  const forward = directionLoss(tf, network, { windows, past, negatives, training, reverse: false });
  if (!network.config.reverse?.predictors) return forward;
  const backwards = windows.map((part) => tf.reverse(part, 1));
  const reverse = directionLoss(tf, network, {
    windows: backwards,
    past: past && tf.reverse(past, 1),
    negatives,
    training,
    reverse: true,
  });
  const mean = <T extends SampledLoss[keyof SampledLoss]>(a: T, b: T): T => tf.mul(tf.add(a, b), 0.5);
  return {
    loss: mean(forward.loss, reverse.loss),
    nce: mean(forward.nce, reverse.nce),
    accuracy: mean(forward.accuracy, reverse.accuracy),
  };
}

function directionLoss(
  tf: Tf,
  network: Network,
  { windows, past, negatives, training, reverse }: {
    windows: readonly Tensor2D[];
    past?: Tensor2D;
    negatives: NegativeRows;
    training: boolean;
    reverse: boolean;
  },
): SampledLoss {
  const steps = (reverse ? network.config.reverse?.predictors : network.config.predictors)?.steps;
  if (!steps) throw new CpcError("weights_invalid", "the model has no predictors: it cannot be trained");
  const latent = tf.concat(windows.map((part) => network.encode(part, { training })), 0) as Tensor3D; // [N, T, Z]
  const [count, frames, width] = latent.shape;
  const from = frames - steps;
  const heard = past ? network.encode(past, { training }) : latent;
  const { hidden } = network.context(tf.slice(heard, [0, 0, 0], [count, Math.max(1, from), width]), { reverse });
  const rows = tf.reshape(hidden, [-1, hidden.shape[2]]) as Tensor2D; // [N · S, C]
  return sampledLoss(tf, { latent, steps, predict: (k) => network.predict(rows, k, { reverse }), negatives });
}
