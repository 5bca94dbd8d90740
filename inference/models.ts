/**
 * The models of a pool: weights in memory that all workers share, and what follows from the
 * configuration.
 */
import { type ModelLayout, modelLayout } from "../model/engine.ts";
import { reversedModel, scoresBothWays } from "../model/reverse.ts";
import type { Tensor } from "../model/safetensors.ts";
import type { Weights } from "../model/weights.ts";

/** A model of the pool. */
export interface PoolModel {
  readonly weights: Weights;
  readonly layout: ModelLayout;
  /**
   * The reversed network, if the objective uses one. It is loaded beside the forward one, only for
   * scoring.
   */
  readonly reversed?: Weights;
}

/** Models by id, in the given order. */
export function poolModels(models: readonly Weights[]): Map<string, PoolModel> {
  return new Map(models.map((given) => {
    const weights = shareTensors(given);
    const reversed = scoresBothWays(weights.config) ? reversedModel(weights) : undefined;
    return [weights.id, { weights, layout: modelLayout(weights.config), reversed }];
  }));
}

/** All networks that a worker loads: each model's, and its reversed one if it has one. */
export function networksOf(models: ReadonlyMap<string, PoolModel>): Weights[] {
  return [...models.values()].flatMap(({ weights, reversed }) =>
    reversed ? [weights, reversed] : [weights]
  );
}

/** The same weights in shared memory, so that workers need no copies. */
function shareTensors(weights: Weights): Weights {
  const tensors = new Map<string, Tensor>();
  for (const [name, { shape, data }] of weights.tensors) {
    const shared = new Float32Array(new SharedArrayBuffer(data.byteLength));
    shared.set(data);
    tensors.set(name, { shape, data: shared });
  }
  return { ...weights, tensors };
}
