import assert from "node:assert/strict";
import { selection } from "../../../streaming/protocol/selection.ts";

const dims = { context: 6, latent: 8, steps: 3 };

Deno.test("selection() keeps what an update does not name; outputs and steps come in the protocol's order", () => {
  const current = { output: ["context"] as const, steps: [1, 2, 3], every: 2 };
  const changed = selection({ output: ["prediction", "latent"], steps: [3, 1] }, current, dims);
  assert.deepEqual(changed, { output: ["latent", "prediction"], steps: [1, 3], every: 2 });
  assert.throws(() => selection({ steps: [4] }, current, dims), {
    code: "invalid_option",
    param: "steps",
  });
  assert.throws(() => selection({ output: ["score"] }, current, { ...dims, steps: 0 }), {
    code: "invalid_option",
    param: "output",
  });
});
