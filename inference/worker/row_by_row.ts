/**
 * A step, or its predictions, once more, row by row: the engine failed on all of them together, and
 * this shows which row it fails on, if on any.
 */
import type { Engine, StepInput, StepOutput } from "../../model/engine.ts";

/**
 * Takes a step row by row.
 *
 * @returns the step's output, zero for the rows in `failed`; what the engine said of each of
 *   these
 */
export async function stepEach(
  engine: Engine,
  { streams: B, hops, samples, state, masks, latentOnly }: StepInput,
): Promise<{ output: StepOutput; failed: Map<number, unknown> }> {
  const { latent: Z, context: C } = engine.layout.dims;
  const output = {
    latent: new Float32Array(B * hops * Z), // [B, T, Z]
    context: new Float32Array(B * hops * C), // [B, T, C]
    hidden: new Float32Array(B * hops * C), // [B, T, C]
    state: new Float32Array(state.length), // [B, S]
  };
  const failed = new Map<number, unknown>();
  for (let b = 0; b < B; b++) {
    try {
      const one = await engine.step({
        streams: 1,
        hops,
        samples: row(samples, b, B).slice(),
        state: row(state, b, B).slice(),
        masks: masks.map((mask) => row(mask, b, B).slice()),
        latentOnly,
      });
      row(output.latent, b, B).set(one.latent);
      row(output.context, b, B).set(one.context);
      row(output.hidden, b, B).set(one.hidden);
      row(output.state, b, B).set(one.state);
    } catch (thrown) {
      failed.set(b, thrown);
    }
  }
  return { output, failed };
}

/**
 * Predicts row by row.
 *
 * @param hidden `[N, C]`; `count`: N
 * @returns `[N, K · Z]`, zero for the rows in `failed`; what the engine said of each of these
 */
export async function predictEach(
  engine: Engine,
  { hidden, count: N }: { hidden: Float32Array; count: number },
): Promise<{ predictions: Float32Array; failed: Map<number, unknown> }> {
  const { latent: Z, steps: K } = engine.layout.dims;
  const predictions = new Float32Array(N * K * Z); // [N, K, Z]
  const failed = new Map<number, unknown>();
  for (let n = 0; n < N; n++) {
    try {
      row(predictions, n, N).set(await engine.predict(row(hidden, n, N).slice()));
    } catch (thrown) {
      failed.set(n, thrown);
    }
  }
  return { predictions, failed };
}

/** Row b of a `[B, …]` array. */
export function row(data: Float32Array, b: number, B: number): Float32Array {
  const width = data.length / B;
  return data.subarray(b * width, (b + 1) * width);
}
