import assert from "node:assert/strict";
import { checkTensors, loadWeights } from "../../model/weights.ts";
import { initialTensors } from "../../training/initial_weights.ts";
import { tinyConfig } from "../support/models.ts";

const deviation = (x: Float32Array) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length);

Deno.test("initialTensors() has the original's tensors and deviations", async () => {
  const shipped = await loadWeights(new URL("../../weights/cpc-base", import.meta.url).pathname);
  const tensors = initialTensors(shipped.config, 7);
  checkTensors(shipped.config, tensors);
  assert.deepEqual([...tensors.keys()].sort(), [...shipped.tensors.keys()].sort());
  for (
    const [name, wanted] of [
      ["encoder.0.conv.weight", Math.sqrt(2 / (512 * 10))], // Kaiming, fan-out
      ["encoder.1.conv.weight", Math.sqrt(2 / (512 * 8))],
      ["context.weight_ih_l0", Math.sqrt(2 / 768)],
      ["predictors.3.weight", Math.sqrt(2 / 512)],
      ["context.bias_hh_l0", 1 / 16 / Math.sqrt(3)], // even within 1/√H
    ] as const
  ) {
    const got = deviation(tensors.get(name)!.data);
    assert.ok(Math.abs(got / wanted - 1) < 0.06, `${name}: ${got}, wanted ${wanted}`);
  }
  assert.ok(tensors.get("encoder.2.norm.weight")!.data.every((x) => x === 1));
});

Deno.test("initialTensors() are a function of the seed", () => {
  const draw = (seed: number) => initialTensors(tinyConfig, seed).get("predictors.0.weight")!.data;
  assert.deepEqual(draw(1), draw(1));
  assert.notDeepEqual(draw(1), draw(2));
});
