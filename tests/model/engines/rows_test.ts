import assert from "node:assert/strict";
import { createEngine } from "../../../model/engines/create.ts";
import { mostRows } from "../../../model/engines/rows.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";

Deno.test("mostRows() is a power of two, small on the CPU, larger on a card", async () => {
  const [cpu, card] = [mostRows({ onCard: false }), mostRows({ onCard: true })];
  for (const rows of [cpu, card]) assert.equal(Math.log2(rows) % 1, 0);
  assert.ok(card >= 8 * cpu);
  for (const [kind, device] of [["onnx", "cpu"], ["tfjs", "wasm"]] as const) {
    const engine = await createEngine(kind, randomWeights(tinyConfig), {
      device,
      precision: "fp32",
      threads: 1,
    });
    assert.equal(engine.maxRows, cpu);
    await engine.dispose();
  }
});
