import assert from "node:assert/strict";
import {
  SCORE_BLOCK_FRAMES,
  SCORE_NEGATIVES,
} from "../../../../inference/worker/score/negatives.ts";
import { ScoreTables } from "../../../../inference/worker/score/score_tables.ts";
import {
  SCORE_TIE,
  WaitingPredictions,
} from "../../../../inference/worker/score/waiting_predictions.ts";

/** Whether a positive beats negatives that all give `most`, by a margin. */
function isCorrect(most: number, margin: number): number {
  const tables = new ScoreTables({ steps: 1, latent: 1, context: 1 }, { maxRows: 1 });
  const waiting = new WaitingPredictions(tables);
  const frame = SCORE_NEGATIVES * SCORE_BLOCK_FRAMES - 1; // the first with all its negatives
  for (let b = 0; b < SCORE_NEGATIVES; b++) waiting.draw(b, Float32Array.of(most));
  waiting.keep(frame, Float32Array.of(1));
  tables.clear();
  const latent = tables.hear(Float32Array.of(most + margin));
  const out = new Float32Array(3); // surprise, nce, correct
  waiting.score(frame + 1, { latent, steps: [1], out });
  waiting.free();
  return out[2];
}

Deno.test("WaitingPredictions.score() takes a lead within the tie's share for a tie", () => {
  for (const most of [-8, -0.25, 0, 0.5, 8]) {
    const tie = SCORE_TIE * Math.max(1, Math.abs(most));
    assert.deepEqual([0.8, 1.2].map((share) => isCorrect(most, share * tie)), [0, 1], `at ${most}`);
  }
});
