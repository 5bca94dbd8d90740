import assert from "node:assert/strict";
import { importCheckpoint } from "../../../model/checkpoints/checkpoint.ts";
import { toPyTorch } from "../../../model/checkpoints/to_pytorch.ts";
import type { Tensor } from "../../../model/safetensors.ts";
import { randomWeights } from "../../support/models.ts";
import { stateDict, torchZip } from "../../support/torch_writer.ts";
import { lstm } from "../../support/foreign_checkpoints.ts";

Deno.test("importCheckpoint() reads bshall/cpc: 2-layer LSTM, ChannelNorm, no predictors", () => {
  const weights = randomWeights({ ...lstm, predictors: null }, 6);
  const names = [...toPyTorch(weights).model].map(([name, tensor]): [string, Tensor] => [
    name.replace("gEncoder.", "encoder.").replace("batchNorm", "norm").replace(
      "gAR.baseNet",
      "context.lstm",
    ),
    tensor,
  ]);
  assert.ok(
    names.some(([name]) => name === "encoder.norm4.bias") &&
      names.some(([name]) => name === "context.lstm.bias_hh_l1"),
  );
  const imported = importCheckpoint(torchZip(stateDict(names)));
  assert.deepEqual([imported.kind, imported.config.context], ["bshall", {
    type: "lstm",
    hidden: 6,
    layers: 2,
  }]);
  assert.deepEqual(
    imported.tensors.get("encoder.2.norm.weight"),
    weights.tensors.get("encoder.2.norm.weight"),
  );
  assert.match(imported.notes.join(), /no predictions/);
});
