/** The training objective over the rows of a batch. */
import { joinChunks } from "../audio/rechunk.ts";
import {
  figuresOf,
  meanFigures,
  type ObjectiveFigures,
  overall,
  totalOf,
} from "../model/objective.ts";
import type { WindowRows } from "./score_window.ts";

/** The figures of one network's windows: means over frames `from … to` that they are scored at. */
export function scoreWindows(
  batch: readonly WindowRows[],
  { from, to, K, Z }: { from: number; to: number; K: number; Z: number },
): ObjectiveFigures {
  const each = Array.from({ length: to - from }, (_, i) => {
    const future = joinChunks(batch.map(({ latent }) => latent.subarray(i * Z, (i + K) * Z)));
    const predictions = joinChunks(
      batch.map(({ prediction }) => prediction.subarray(i * K * Z, (i + 1) * K * Z)),
    );
    const at = { windows: batch.length, steps: K, future, predictions };
    return overall(Array.from({ length: K }, (_, k) => figuresOf(totalOf(at, k + 1), k + 1)));
  });
  return meanFigures(each);
}
