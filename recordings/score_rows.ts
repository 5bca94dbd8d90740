/** The training objective over the rows of a batch. */
import { setImmediate } from "node:timers/promises";
import { joinChunks } from "../audio/rechunk.ts";
import {
  figuresOf,
  meanFigures,
  type ObjectiveFigures,
  overall,
  type StepFigures,
  totalOf,
} from "../model/objective.ts";
import type { WindowRows } from "./score_window.ts";

/** After so long a thread takes a turn of its event loop. */
const TURN_MS = 20;

/**
 * The figures of one network's windows: means over frames `from … to` that they are scored at.
 *
 * Between two matrices of scores it lets the thread be ended: `terminate()` waits for a turn of its
 * event loop, and would leave minutes of work to go on for nobody
 * (https://github.com/denoland/deno/pull/35657).
 */
export async function scoreWindows(
  batch: readonly WindowRows[],
  { from, to, K, Z }: { from: number; to: number; K: number; Z: number },
): Promise<ObjectiveFigures> {
  const each: ObjectiveFigures[] = [];
  let turnedMs = performance.now();
  for (let i = 0; i < to - from; i++) {
    const future = joinChunks(batch.map(({ latent }) => latent.subarray(i * Z, (i + K) * Z)));
    const predictions = joinChunks(
      batch.map(({ prediction }) => prediction.subarray(i * K * Z, (i + 1) * K * Z)),
    );
    const at = { windows: batch.length, steps: K, future, predictions };
    const steps: StepFigures[] = [];
    for (let k = 1; k <= K; k++) {
      steps.push(figuresOf(totalOf(at, k), k));
      if (performance.now() - turnedMs < TURN_MS) continue;
      await setImmediate();
      turnedMs = performance.now();
    }
    each.push(overall(steps));
  }
  return meanFigures(each);
}
