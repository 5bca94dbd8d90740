import assert from "node:assert/strict";
import { Journal } from "../../inference/journal.ts";
import { wantOf } from "../../inference/want.ts";

const want = (every: number) => wantOf({ output: ["context"], steps: [1], every });

Deno.test("Journal.update() keeps the last change of each frame, and none before the state", () => {
  const journal = new Journal({ hopSamples: 160, leadSamples: 0 }, { want: want(1) });
  const changes = () => journal.updates.map(({ atHop, want: { every } }) => [atHop, every]);
  for (let every = 2; every <= 1000; every++) journal.update(want(every));
  assert.deepEqual(changes(), [[0, 1000]]);
  journal.push(new Float32Array(480));
  journal.reported({ hopsTaken: 2, want: journal.want });
  for (const every of [7, 8]) journal.update(want(every));
  assert.deepEqual(changes(), [[0, 1000], [2, 8]]);
  assert.equal(journal.want.every, 8);
  journal.reported({ hopsTaken: 3, want: journal.want });
  journal.update(want(9));
  journal.reported({ hopsTaken: 3, want: want(8), checkpoint: { hopsTaken: 3 } });
  assert.deepEqual(changes(), [[3, 9]]);
});
