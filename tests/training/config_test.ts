import assert from "node:assert/strict";
import { CpcError } from "../../errors.ts";
import { checkTensors, parameterCount } from "../../model/weights.ts";
import { parseTrainingConfig, speedsOf } from "../../training/config.ts";
import { initialTensors } from "../../training/initial_weights.ts";

const CONFIGS = new URL("../../training/configs/", import.meta.url);
/**
 * Trained values; the original publishes 7.42, 5.58 and 7.33 million for CDCK2, CDCK5 and CDCK6.
 * cpc-base-gpu is the model of cpc-base (below).
 */
const PARAMETERS: Record<string, number> = {
  "cpc-base": 7_423_488,
  "cpc-small": 2_500_096,
  cdck5: 5_581_344,
  cdck6: 7_331_328,
};

for (const [name, parameters] of Object.entries(PARAMETERS)) {
  Deno.test(`training/configs/${name}.json is a model of ${parameters} parameters`, async () => {
    const { model } = parseTrainingConfig(
      await Deno.readTextFile(new URL(`${name}.json`, CONFIGS)),
      name,
    );
    const tensors = initialTensors(model, 1);
    checkTensors(model, tensors);
    assert.equal(parameterCount({ tensors }), parameters);
  });
}

Deno.test("training/configs/cpc-base-gpu.json is cpc-base in larger batches", async () => {
  const [cpu, gpu] = await Promise.all(
    ["cpc-base", "cpc-base-gpu"].map(async (name) =>
      parseTrainingConfig(await Deno.readTextFile(new URL(`${name}.json`, CONFIGS)), name)
    ),
  );
  assert.deepEqual(gpu.model, cpu.model);
  assert.ok(gpu.batch.voices >= 8 * cpu.batch.voices);
  assert.ok(gpu.negatives.batch >= 8 * cpu.negatives.batch);
  assert.deepEqual({ ...gpu, batch: 0, negatives: 0, optimizer: 0 }, {
    ...cpu,
    batch: 0,
    negatives: 0,
    optimizer: 0,
  });
});

Deno.test("parseTrainingConfig() names the member at fault", async () => {
  const good = JSON.parse(await Deno.readTextFile(new URL("cpc-base.json", CONFIGS)));
  const refused = (change: Record<string, unknown>, message: RegExp) =>
    assert.throws(
      () => parseTrainingConfig(JSON.stringify({ ...good, ...change }), "run.json"),
      (error) =>
        error instanceof CpcError && error.code === "invalid_option" && message.test(error.message),
    );
  refused({ optimizer: { rate: 0, steps: 10 } }, /run\.json: .*optimizer\.rate/);
  refused({ negatives: { batch: 0 } }, /there must be some negatives.*negatives/);
  refused({ augment: { speed: [1.2, 0.8] } }, /the lower bound comes first.*augment\.speed/);
  refused({ augment: { pitch_semitones: [-20, 0] } }, /-12.*augment\.pitch_semitones/);
  refused(
    { augment: { past_pitch_semitones: [0, 1] }, batch: { window_samples: 399 } },
    /at least 400 samples/,
  );
  refused({ head: "mlp" }, /head/);
  refused({ augment: { speed: [1.01, 1.02] } }, /no multiple of 0\.05/);
  refused({ data: { weights: {} } }, /name at least one source.*data\.weights/);
  refused({ dev: { sources: [] } }, /dev\.sources/);
  refused({ model: { ...good.model, predictors: null } }, /needs predictors.*model/);
  refused({ epochs: 3 }, /epochs/);
  assert.throws(() => parseTrainingConfig("{", "run.json"), /run\.json is not JSON/);
});

Deno.test("speedsOf() gives the multiples of 0.05 within the bounds", () => {
  assert.deepEqual(speedsOf([0.9, 1.1]), [0.9, 0.95, 1, 1.05, 1.1]);
  assert.deepEqual(speedsOf([0.93, 1.07]), [0.95, 1, 1.05]);
  assert.deepEqual(speedsOf([0.98, 1.02]), [1]);
  assert.deepEqual(speedsOf([1.01, 1.04]), []);
});
