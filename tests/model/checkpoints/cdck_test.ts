import assert from "node:assert/strict";
import type { ModelConfig } from "../../../model/architecture.ts";
import { importCheckpoint } from "../../../model/checkpoints/checkpoint.ts";
import { refused } from "../../support/checkpoints.ts";
import { tinyConfig } from "../../support/models.ts";
import { tensor, torchLegacy, torchZip, type Value } from "../../support/torch_writer.ts";
import { cdckFile, zeros } from "../../support/foreign_checkpoints.ts";

const CDCK: Record<string, ModelConfig> = {
  CDCK2: tinyConfig,
  CDCK5: { ...tinyConfig, context: { type: "gru", hidden: 4, layers: 2 } },
  CDCK6: {
    ...tinyConfig,
    reverse: {
      context: { type: "gru", hidden: 6, layers: 1 },
      predictors: { steps: 3, type: "linear" },
    },
  },
};

for (const [kind, config] of Object.entries(CDCK)) {
  Deno.test(`importCheckpoint() reads ${kind}, DataParallel or not, in both serialisations`, () => {
    for (const prefix of ["", "module.", "module.module."]) {
      for (const save of [torchZip, torchLegacy]) {
        const { weights, value } = cdckFile(config, prefix);
        const imported = importCheckpoint(save(value));
        assert.equal(imported.kind, kind);
        assert.deepEqual(imported.skipped, [
          "epoch",
          "validation_acc",
          "validation_loss",
          "optimizer",
        ]);
        assert.equal(imported.config.input_scale, 32768);
        assert.deepEqual({ ...imported.config, input_scale: 1, version: undefined }, {
          ...config,
          version: undefined,
          ...config.reverse && {},
        });
        for (const [name, tensor] of weights.tensors) {
          assert.deepEqual(imported.tensors.get(name), tensor, name);
        }
      }
    }
  });
}

Deno.test("importCheckpoint() reads CDCK2 by the names of its class", () => {
  const names = [...cdckFile(tinyConfig).value.get("state_dict") as Map<string, Value>].map((
    [name],
  ) => name);
  const norm = [1, 4, 7, 10, 13].flatMap((i) =>
    ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"].map((part) =>
      `encoder.${i}.${part}`
    )
  );
  const gru = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"].map((part) =>
    `gru.${part}`
  );
  const conv = [0, 3, 6, 9, 12].map((i) => `encoder.${i}.weight`);
  const predictors = [0, 1, 2].flatMap((k) => [`Wk.${k}.weight`, `Wk.${k}.bias`]);
  assert.deepEqual(names.toSorted(), [...norm, ...gru, ...conv, ...predictors].toSorted());
});

Deno.test("importCheckpoint() reads a bare state_dict", () => {
  const { value } = cdckFile(tinyConfig);
  const imported = importCheckpoint(torchZip(value.get("state_dict")!));
  assert.deepEqual([imported.kind, imported.skipped], ["CDCK2", []]);
});

Deno.test("importCheckpoint() refuses a CDCK file with tensors that do not belong in it", () => {
  const change = (edit: (state: Map<string, Value>) => void) => {
    const { value } = cdckFile(tinyConfig);
    edit(value.get("state_dict") as Map<string, Value>);
    return () => importCheckpoint(torchZip(value));
  };
  refused(
    change((state) => state.set("gru.weight_ih_l0_reverse", zeros([18, 8]))),
    /bidirectional/,
  );
  refused(
    change((state) => state.delete("Wk.0.weight")),
    /tensor Wk\.0\.weight of shape \[8,6\] is missing/,
  );
  refused(change((state) => state.delete("Wk.1.weight")), /tensor Wk\.1\.bias.* not part of/);
  refused(
    change((state) => state.set("classifier.0.weight", zeros([2, 2]))),
    /classifier\.0\.weight/,
  );
  refused(
    change((state) =>
      state.set("encoder.1.running_var", tensor([8], new Float32Array(8).fill(-1)))
    ),
    /negative variance/,
  );
});
