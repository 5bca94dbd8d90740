import assert from "node:assert/strict";
import { Turns } from "../../routes/turns.ts";

/**
 * Turns with a clock of their own; `heard`: for how many turns the others were heard, each time.
 */
function turns() {
  const state = { nowMs: 0, heard: [] as number[] };
  const all = new Turns({
    nowMs: () => state.nowMs,
    listenFor: async (turns) => {
      state.heard.push(turns);
      // whoever works meanwhile comes to its end
      for (let i = 0; i < 10; i++) await Promise.resolve();
    },
  });
  return { all, state };
}

Deno.test("Turns.next() lets a request work for 4 ms, then hears all the others", async () => {
  const { all, state } = turns();
  for (state.nowMs = 0; state.nowMs < 4; state.nowMs++) await all.next();
  assert.deepEqual(state.heard, []);
  await all.next();
  assert.deepEqual(state.heard, [32, 1]);
});

Deno.test("Turns.next() lets requests take turns, and hears others every 4 ms", async () => {
  const { all, state } = turns();
  state.nowMs = 4;
  const order: string[] = [];
  await Promise.all(["a", "b", "c"].map(async (name) => {
    for (let i = 0; i < 2; i++) {
      await all.next();
      order.push(`${name}${i}`);
      state.nowMs += 2;
    }
  }));
  assert.deepEqual(order, ["a0", "b0", "c0", "a1", "b1", "c1"]);
  assert.deepEqual(state.heard, [32, 1, 1, 32, 1, 1, 32, 1, 1]);
});
