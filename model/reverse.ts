/**
 * The second context network of a model such as CDCK6: it hears the recording backwards, through
 * the shared encoder.
 */
import type { ModelConfig } from "./architecture.ts";
import type { Weights } from "./weights.ts";

/**
 * Whether the reversed network predicts as many steps as the forward one, so that the objective
 * takes the means of both.
 */
export function scoresBothWays({ predictors, reverse }: ModelConfig): boolean {
  return predictors !== null && reverse?.predictors?.steps === predictors.steps;
}

/**
 * The reversed network as a model of its own. It takes time-reversed **samples**, as in its
 * training. These are not time-reversed latents, since the encoder sees each frame backwards and
 * its frames lie on another grid.
 *
 * @returns undefined when the model has none; tensors are shared, not copied
 */
export function reversedModel({ id, config, tensors }: Weights): Weights | undefined {
  const { reverse, ...forward } = config;
  if (!reverse) return undefined;
  const own = [...tensors].flatMap(([name, tensor]) => {
    if (name.startsWith("encoder.")) return [[name, tensor] as const];
    return name.startsWith("reverse.") ? [[name.slice("reverse.".length), tensor] as const] : [];
  });
  return { id: `${id}/reverse`, config: { ...forward, ...reverse }, tensors: new Map(own) };
}
