/**
 * The cost of live scores on top of predictions: the worker's step loop with and without them, in
 * turns.
 */
import { type Precision } from "../model/engine.ts";
import type { Weights } from "../model/weights.ts";
import { SCORE_BLOCK_FRAMES, SCORE_NEGATIVES } from "../inference/worker/score/negatives.ts";
import type { Want } from "../inference/messages.ts";
import { openStreams } from "./live_loop.ts";
import { median } from "./statistics.ts";
import { StepLoop } from "../inference/worker/step_loop.ts";
import { createEngine } from "../model/engines/create.ts";

/**
 * One row of the table: medians of steps of one hop per stream, and of the ratios of neighbouring
 * steps.
 */
export interface ScoreRow {
  readonly streams: number;
  readonly contextMs: number;
  readonly predictionMs: number;
  readonly scoreMs: number;
  /** (context + prediction + score) / (context + prediction) − 1 */
  readonly onTop: number;
}

/**
 * Measures on one thread, after every stream has heard enough for all its negatives.
 *
 * @param options `streams`: batch sizes; `steps`: steps of each kind · streams
 */
export async function benchScore(
  weights: Weights,
  { streams: sizes, steps: wantedSteps = 4000, precision = "fp32" }: {
    streams: readonly number[];
    steps?: number;
    precision?: Precision;
  },
): Promise<ScoreRow[]> {
  const engine = await createEngine("onnx", weights, { device: "cpu", precision, threads: 1 });
  const { plan, dims } = engine.layout;
  const steps = Array.from({ length: dims.steps }, (_, i) => i + 1);
  const context: Want = { context: true, latent: false, prediction: [], score: [], every: 1 };
  const kinds: Want[] = [
    context,
    { ...context, prediction: steps },
    { ...context, prediction: steps, score: steps },
  ];
  const rows: ScoreRow[] = [];
  for (const streams of sizes) {
    const loops = kinds.map((want) => {
      const failed = (_: unknown, error: Error) => {
        throw error;
      };
      const loop = new StepLoop(new Map([[weights.id, engine]]), {
        reports: { step() {}, reached() {}, failed },
      });
      return openStreams(loop, { model: weights.id, streams, want, hopSamples: plan.hopSamples });
    });
    const heard = SCORE_NEGATIVES * SCORE_BLOCK_FRAMES + dims.steps + plan.youngHops;
    for (const take of loops) await take(heard);
    const times: number[][] = kinds.map(() => []);
    const rounds = Math.ceil(wantedSteps / streams);
    for (let round = -5; round < rounds; round++) {
      const order = round % 2 === 0 ? [...kinds.keys()] : [...kinds.keys()].reverse();
      for (const kind of order) {
        const ms = await loops[kind](1);
        if (round >= 0) times[kind].push(ms);
      }
    }
    const [contextMs, predictionMs, scoreMs] = times.map(median);
    const onTop = median(times[2].map((ms, i) => ms / times[1][i])) - 1;
    rows.push({ streams, contextMs, predictionMs, scoreMs, onTop });
  }
  await engine.dispose();
  return rows;
}
