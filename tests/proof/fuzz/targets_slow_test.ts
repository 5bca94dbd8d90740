import assert from "node:assert/strict";
import { fuzz } from "../../../proof/fuzz/harness.ts";
import { TARGETS } from "../../../proof/fuzz/targets.ts";

Deno.test("TARGETS that parse show no fault in 250 inputs", async () => {
  for (const name of ["messages", "queries", "safetensors", "pickles", "config", "tokens"]) {
    const { faults, inputs } = await fuzz(name, TARGETS[name], { inputs: 250, seed: 9 });
    assert.deepEqual(faults, []);
    assert.equal(inputs, 250);
  }
});
