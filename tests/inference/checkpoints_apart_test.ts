import assert from "node:assert/strict";
import { checkpointsApart } from "../../inference/checkpoints_apart.ts";

Deno.test("checkpointsApart() is one interval for each MiB that was new, up to 30 s", () => {
  const mib = 1024 * 1024 / 4; // floats
  const states = [0, 1, mib, mib + 1, 2 * mib, 2 * mib + 1, 14.5 * mib, 40 * mib];
  assert.deepEqual(states.map(checkpointsApart), [1, 1, 1, 2, 2, 3, 15, 15]);
});
