/** The training objective over the rows of a batch. */
import {
  figuresOf,
  meanFigures,
  type ObjectiveFigures,
  overall,
  totalOf,
} from "../model/objective.ts";
import { joinChunks } from "../audio/rechunk.ts";
import type { WindowRows } from "./score_window.ts";

/**
 * The figures of one network's windows: means over the scored frames `from … to`.
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
    const future = joinChunks(batch.map(({ latent }) => latent.subarray(i * Z, (i + K) * Z)));
    const predictions = joinChunks(
      batch.map(({ prediction }) => prediction.subarray(i * K * Z, (i + 1) * K * Z)),
    );
    const steps = [];
    for (let k = 1; k <= K; k++) {
      signal?.throwIfAborted();
      steps.push(
        figuresOf(totalOf({ windows: batch.length, steps: K, future, predictions }, k), k),
      );
      await turn(); // lets live streams on this thread take a turn
    }
    each.push(overall(steps));
  }
  return meanFigures(each);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
