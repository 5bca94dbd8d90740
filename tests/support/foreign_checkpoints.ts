/** Models of other projects under their own names, made from random weights of ours. */
import { type ModelConfig, modelConfigSchema } from "../../model/architecture.ts";
import { toPyTorch } from "../../model/checkpoints/to_pytorch.ts";
import type { Weights } from "../../model/weights.ts";
import { randomWeights, tinyConfig } from "./models.ts";
import { dict, stateDict, storage, tensor, torchZip, type Value } from "./torch_writer.ts";

/** Two layers of LSTM under channel norm. */
export const lstm = modelConfigSchema.parse({
  ...tinyConfig,
  encoder: tinyConfig.encoder.map((layer) => ({ ...layer, norm: "channel" })),
  context: { type: "lstm", hidden: 6, layers: 2 },
});

/** Weights without the biases of convolutions and predictors. */
export const noBias = (weights: Weights): Weights => ({
  ...weights,
  tensors: new Map(
    [...weights.tensors].filter(([name]) => !/^(encoder.*conv|predictors.*)\.bias$/.test(name)),
  ),
});

/** A CDCK file as its trainer writes it. */
export function cdckFile(
  config: ModelConfig,
  prefix = "",
): { weights: Weights; value: Map<string, Value>; kind: string } {
  const weights = noBias(randomWeights(config, 4));
  const { kind, model } = toPyTorch(weights);
  const counters: [string, Value][] = [1, 4, 7, 10, 13].map((i) => [
    `${prefix}encoder.${i}.num_batches_tracked`,
    tensor([], storage([7], "LongStorage")),
  ]);
  const state_dict = new Map<string, Value>([
    ...stateDict([...model].map(([n, t]) => [prefix + n, t] as const)),
    ...counters,
  ]);
  return {
    weights,
    kind,
    value: dict({
      epoch: 2,
      validation_acc: 0.25,
      state_dict,
      validation_loss: 1.5,
      optimizer: null,
    }),
  };
}

/** A CPC_audio file with changes, made from random weights. */
export function cpcAudio(
  config: ModelConfig,
  change: (parts: { model: Map<string, Value>; criterion: Map<string, Value> }) => void = () => {},
) {
  const { model, criterion } = toPyTorch(noBias(randomWeights(config, 8)));
  const parts = { model: stateDict(model), criterion: stateDict(criterion ?? []) };
  change(parts);
  return torchZip(
    dict({
      gEncoder: parts.model,
      cpcCriterion: parts.criterion,
      optimizer: dict({ state: dict({}) }),
      best: dict({}),
    }),
  );
}

/** A tensor of zeros. */
export const zeros = (shape: number[]) =>
  tensor(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));
