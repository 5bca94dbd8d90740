import assert from "node:assert/strict";
import fc from "fast-check";
import { openClips } from "../../recordings/clips.ts";
import { MemoryBudget } from "../../recordings/memory_budget.ts";
import { scoreApart } from "../../recordings/score_apart.ts";
import { batchBytes, scoreClips } from "../../recordings/score_clips.ts";
import { scoreWindows } from "../../recordings/score_rows.ts";
import { random } from "../support/stream.ts";
import { wav, withServer } from "../support/server.ts";

/** Random rows of a batch. */
function batch(
  { windows, times, K, Z, seed }: {
    windows: number;
    times: number;
    K: number;
    Z: number;
    seed: number;
  },
) {
  const next = random(seed);
  const floats = (length: number) => Float32Array.from({ length }, () => next() * 4 - 2);
  const rows = Array.from({ length: windows }, () => ({
    latent: floats((times - 1 + K) * Z),
    prediction: floats(times * K * Z),
  }));
  return { rows, from: 3, to: 3 + times, K, Z };
}

Deno.test("scoreApart() gives scoreWindows()'s figures to the last bit", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        windows: fc.integer({ min: 2, max: 9 }),
        times: fc.integer({ min: 1, max: 4 }),
        K: fc.integer({ min: 1, max: 3 }),
        Z: fc.integer({ min: 1, max: 8 }),
        seed: fc.nat(),
      }),
      async (size) => {
        const here = batch(size);
        const there = batch(size);
        assert.deepEqual(await scoreApart(there), await scoreWindows(here.rows, here));
        for (const { latent, prediction } of there.rows) {
          assert.deepEqual([latent.length, prediction.length], [0, 0]);
        }
      },
    ),
    { numRuns: 5 },
  );
});

Deno.test("scoreWindows() gives its thread turns, in which it can be ended", async () => {
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setTimeout(count);
  };
  setTimeout(count);
  const { rows, ...where } = batch({ windows: 128, times: 4, K: 12, Z: 64, seed: 1 });
  await scoreWindows(rows, where);
  const before = turns;
  isOver = true;
  await new Promise((resolve) => setTimeout(resolve)); // the last one
  assert.ok(before > 0);
});

Deno.test("scoreApart() ends with its signal, in the middle of its work", async () => {
  const controller = new AbortController();
  // minutes of work
  const scoring = scoreApart(
    batch({ windows: 512, times: 20, K: 12, Z: 64, seed: 1 }),
    controller.signal,
  );
  controller.abort(new RangeError("nobody waits"));
  await assert.rejects(scoring, RangeError);
  await assert.rejects(
    scoreApart(batch({ windows: 2, times: 1, K: 1, Z: 1, seed: 1 }), controller.signal),
    RangeError,
  );
});

Deno.test("scoreApart() tells of rows that cannot be scored", async () => {
  const { rows, ...where } = batch({ windows: 2, times: 1, K: 1, Z: 4, seed: 1 });
  const nowhere = { ...where, to: where.from };
  await assert.rejects(scoreApart({ rows, ...nowhere }), { code: "internal" });
});

Deno.test("scoreClips() takes memory for its batch before any window is computed", async () => {
  await withServer(async ({ ctx: { pool } }) => {
    const model = pool.model("tiny");
    const clips = await openClips([wav(new Float32Array(4000).fill(0.1))], { model });
    const { steps: K, latent: Z } = model.layout.dims;
    const bytes = batchBytes({ windows: 2, times: 1, K, Z });
    const options = { window: 2000, seed: 0, t: 1, times: "one" } as const;
    const score = (freeBytes: number) =>
      scoreClips(pool, clips, { model, options, memory: new MemoryBudget(freeBytes).share() });
    await assert.rejects(score(bytes - 1), { code: "too_large" });
    assert.equal(pool.streams, 0);
    assert.equal((await score(bytes)).figures.windows, 2);
  });
});
