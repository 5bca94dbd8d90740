import assert from "node:assert/strict";
import { CpcError } from "../../../errors.ts";
import { modelConfigSchema } from "../../../model/architecture.ts";
import { importCheckpoint } from "../../../model/checkpoints/checkpoint.ts";
import { TensorRef } from "../../../model/checkpoints/pickle_values.ts";
import { toPyTorch } from "../../../model/checkpoints/to_pytorch.ts";
import { TorchFile } from "../../../model/checkpoints/torch_file.ts";
import { checkpointFixture } from "../../support/checkpoints.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";

for (
  const [name, members] of Object.entries({
    hub_lstm2: ["weights"],
    cpc_audio_lstm1: ["gEncoder", "cpcCriterion"],
  })
) {
  Deno.test(`toPyTorch() of ${name} is the original's state_dict: names, shapes, values`, () => {
    const { bytes, args } = checkpointFixture(name);
    const { model, criterion, kind } = toPyTorch({
      id: name,
      ...importCheckpoint(bytes, { args }),
    });
    assert.equal(kind, "CPC_audio");
    const file = TorchFile.open(bytes);
    assert.ok(file.root instanceof Map);
    for (const [i, member] of members.entries()) {
      const original = file.root.get(member);
      const ours = i === 0 ? model : criterion;
      assert.ok(original instanceof Map && ours);
      assert.deepEqual([...ours.keys()].toSorted(), [...original.keys()].toSorted());
      for (const [key, ref] of original) {
        assert.ok(ref instanceof TensorRef && typeof key === "string");
        assert.deepEqual(ours.get(key)?.shape, ref.shape, key);
        assert.deepEqual(ours.get(key)?.data, file.read(ref, key), key);
      }
    }
  });
}

Deno.test("toPyTorch() fills biases that the original has and the model lacks with zeros", () => {
  const weights = randomWeights(tinyConfig, 2);
  const tensors = new Map(
    [...weights.tensors].filter(([name]) => !/^(encoder.*conv|predictors.*)\.bias$/.test(name)),
  );
  const { kind, model } = toPyTorch({ ...weights, tensors });
  assert.equal(kind, "CDCK2");
  assert.deepEqual(model.get("Wk.2.bias"), { shape: [8], data: new Float32Array(8) });
});

Deno.test("toPyTorch() refuses what no original module holds, by the reason", () => {
  const { encoder } = tinyConfig;
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ encoder: [...encoder.slice(0, 4), { ...encoder[4], kernel: 3 }] }, /encoder is not the one/],
    [
      { encoder: [...encoder.slice(0, 4), { ...encoder[4], residual_blocks: 1 }] },
      /encoder is not the one/,
    ],
    [
      { encoder: [...encoder.slice(0, 4), { ...encoder[4], norm: "none" }] },
      /encoder is not the one/,
    ],
    [
      {
        context: { type: "lstm", hidden: 4, layers: 1 },
        reverse: { context: tinyConfig.context, predictors: null },
      },
      /only CDCK6 has/,
    ],
  ];
  for (const [change, why] of cases) {
    const weights = randomWeights(modelConfigSchema.parse({ ...tinyConfig, ...change }));
    assert.throws(
      () => toPyTorch(weights),
      (error) => error instanceof CpcError && why.test(error.message),
    );
  }
});
