import assert from "node:assert/strict";
import { CpcError } from "../../../errors.ts";
import { type ModelConfig, modelConfigSchema } from "../../../model/architecture.ts";
import { importCheckpoint } from "../../../model/checkpoints/checkpoint.ts";
import { TensorRef } from "../../../model/checkpoints/pickle_values.ts";
import { toPyTorch } from "../../../model/checkpoints/to_pytorch.ts";
import { TorchFile } from "../../../model/checkpoints/torch_file.ts";
import type { Weights } from "../../../model/weights.ts";
import { checkpointFixture } from "../../support/checkpoints.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";

/** A model whose convolutions and predictors have no bias, like the original's CDCK modules. */
function unbiased(config: ModelConfig): Weights {
  const weights = randomWeights(config, 2);
  const isBias = (name: string) => /^(encoder.*conv|predictors.*)\.bias$/.test(name);
  return { ...weights, tensors: new Map([...weights.tensors].filter(([name]) => !isBias(name))) };
}

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
  const { kind, model } = toPyTorch(unbiased(tinyConfig));
  assert.equal(kind, "CDCK2");
  assert.deepEqual(model.get("Wk.2.bias"), { shape: [8], data: new Float32Array(8) });
});

Deno.test("toPyTorch() tells CDCK2 and CDCK5, GRUs of one and two layers, from CPC_audio", () => {
  const kinds = ([["gru", 1], ["gru", 2], ["gru", 3], ["lstm", 1]] as const)
    .map(([type, layers]) =>
      toPyTorch(unbiased({ ...tinyConfig, context: { type, hidden: 4, layers } })).kind
    );
  assert.deepEqual(kinds, ["CDCK2", "CDCK5", "CPC_audio", "CPC_audio"]);
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
