import assert from "node:assert/strict";
import { Turns } from "../../../streaming/session/turns.ts";

Deno.test("Turns: so many at once, in order, also after a failure; then full", async () => {
  const turns = new Turns({ most: 2, mostWaiting: 2 });
  const begun: number[] = [];
  const works = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const all = works.map(({ promise }, i) =>
    turns.take(() => {
      begun.push(i);
      return promise;
    })
  );
  assert.deepEqual([begun, turns.full, turns.idle], [[0, 1], true, false]);
  works[1]!.reject(new Error("no"));
  await assert.rejects(all[1]!, /no/);
  assert.deepEqual([begun, turns.full], [[0, 1, 2], false]);
  for (const { resolve } of works) resolve();
  await Promise.allSettled(all);
  assert.deepEqual([begun, turns.idle], [[0, 1, 2, 3], true]);
  assert.equal(await turns.take(() => Promise.resolve(7)), 7);
});
