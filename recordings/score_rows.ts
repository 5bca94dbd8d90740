/** The training objective over the rows of a batch. */
import {
  figuresOf,
  meanFigures,
  type ObjectiveFigures,
  overall,
  totalOf,
} from "../model/objective.ts";
import type { WindowRows } from "./score_window.ts";

/**
 * The figures of one network's windows: means over frames `from … to` that they are scored at.
 *
 * @param signal aborting it ends the work with its reason
 */
export async function scoreWindows(
  batch: readonly WindowRows[],
  { from, to, K, Z, signal }: {
    from: number;
    to: number;
    K: number;
    Z: number;
    signal?: AbortSignal;
  },
): Promise<ObjectiveFigures> {
  const each: ObjectiveFigures[] = [];
  for (let i = 0; i < to - from; i++) {
    const future = joined(batch, (rows) => rows.latent.subarray(i * Z, (i + K) * Z));
    const predictions = joined(
      batch,
      (rows) => rows.prediction.subarray(i * K * Z, (i + 1) * K * Z),
    );
    const steps = [];
    for (let k = 1; k <= K; k++) {
      signal?.throwIfAborted();
      steps.push(
        figuresOf(totalOf({ windows: batch.length, steps: K, future, predictions }, k), k),
      );
      await turn(); // live streams share this thread
    }
    each.push(overall(steps));
  }
  return meanFigures(each);
}

/** The same part of every window, one after the other. */
function joined(
  batch: readonly WindowRows[],
  part: (rows: WindowRows) => Float32Array,
): Float32Array {
  const parts = batch.map(part);
  const out = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((at, data) => (out.set(data, at), at + data.length), 0);
  return out;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
