/** Warms up an engine before any stream waits for a step. */
import { type Engine, fillMask } from "../../model/engine.ts";
import { BATCHED_ROWS } from "../hop_cost.ts";

/** Number of steps of silence; the fastest counts. */
const STEPS = 3;

/**
 * Takes steps of silence, so that memory is in place for the first stream.
 *
 * @returns seconds per hop in a step of several hops
 */
export async function warmUp(engine: Engine): Promise<number> {
  const { plan, stateFloats, dims } = engine.layout;
  const streams = BATCHED_ROWS;
  const samples = new Float32Array(streams * plan.hopSamples);
  const state = new Float32Array(streams * stateFloats);
  const masks = plan.convs.map((conv) => {
    const mask = new Float32Array(streams * conv.rowsPerHop);
    fillMask(mask, conv, { hopsTaken: plan.youngHops + 1, totalRows: Infinity });
    return mask;
  });
  let seconds = Infinity;
  for (let i = 0; i < STEPS; i++) {
    const started = performance.now();
    await engine.step({ streams, hops: 1, samples, state, masks });
    seconds = Math.min(seconds, (performance.now() - started) / 1000 / streams);
  }
  if (dims.steps > 0) await engine.predict(new Float32Array(dims.context));
  return seconds;
}
