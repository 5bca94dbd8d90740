import assert from "node:assert/strict";
import { negativeFrame, SCORE_BLOCK_FRAMES } from "../../../../inference/worker/score/negatives.ts";

Deno.test("negativeFrame() draws one frame of each block, all places about as often", () => {
  const places = new Array<number>(SCORE_BLOCK_FRAMES).fill(0);
  for (let block = 0; block < 4000; block++) {
    places[negativeFrame(block) - block * SCORE_BLOCK_FRAMES]++;
  }
  assert.equal(places.length, SCORE_BLOCK_FRAMES);
  assert.ok(places.every((count) => count > 420 && count < 580), `${places}`);
});

Deno.test("negativeFrame() draws what docs/scoring.md lists", () => {
  const text = Deno.readTextFileSync(new URL("../../../../docs/scoring.md", import.meta.url));
  const listed = /Blocks 0 … 7 give frames ([\d, ]+)/.exec(text)?.[1].split(",").map(Number);
  assert.deepEqual(Array.from({ length: 8 }, (_, block) => negativeFrame(block)), listed);
});
