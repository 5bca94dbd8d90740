import assert from "node:assert/strict";
import { checkpointsApart } from "../../inference/checkpoints_apart.ts";

Deno.test("checkpointsApart() takes checkpoints as much more seldom as a state has MiB", () => {
  const mib = 1024 * 1024 / 4; // floats
  const states = [0, 1, mib, mib + 1, 2 * mib, 2 * mib + 1];
  assert.deepEqual(states.map(checkpointsApart), [1, 1, 1, 2, 2, 3]);
});
