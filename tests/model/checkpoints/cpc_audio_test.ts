import assert from "node:assert/strict";
import { modelConfigSchema } from "../../../model/architecture.ts";
import { importCheckpoint } from "../../../model/checkpoints/checkpoint.ts";
import { toPyTorch } from "../../../model/checkpoints/to_pytorch.ts";
import type { Tensor } from "../../../model/safetensors.ts";
import { refused } from "../../support/checkpoints.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";
import { Call, dict, stateDict, storage, tensor, torchZip } from "../../support/torch_writer.ts";
import { cpcAudio, lstm, zeros } from "../../support/foreign_checkpoints.ts";

Deno.test("importCheckpoint() reads CPC_audio's GRUs and LSTMs under norms that stream", () => {
  for (const norm of ["batch", "channel", "none"] as const) {
    for (const layers of [1, 2, 3, 4]) {
      const type = layers % 2 ? "gru" : "lstm";
      const config = modelConfigSchema.parse({
        ...tinyConfig,
        encoder: tinyConfig.encoder.map((layer) => ({ ...layer, norm })),
        context: { type, hidden: 5, layers },
      });
      const weights = randomWeights({ ...config, predictors: null }, layers);
      weights.tensors.has("encoder.0.conv.bias") ||
        (weights.tensors as Map<string, Tensor>).set("encoder.0.conv.bias", {
          shape: [8],
          data: new Float32Array(8),
        });
      const file = torchZip(
        dict({ gEncoder: stateDict(toPyTorch(weights).model), optimizer: null }),
      );
      const args = {
        arMode: type.toUpperCase(),
        normMode: { batch: "batchNorm", channel: "layerNorm", none: "ID" }[norm],
        nLevelsGRU: layers,
      };
      for (const given of [args, {}]) { // what the arguments leave open follows from the tensors
        const imported = importCheckpoint(file, { args: given });
        assert.deepEqual(imported.config.context, { type, hidden: 5, layers });
        assert.equal(imported.config.encoder[0].norm, norm);
        for (const [name, tensor] of weights.tensors) {
          assert.deepEqual(imported.tensors.get(name), tensor, name);
        }
      }
    }
  }
});

const REFUSED_ARGS: [Record<string, unknown>, RegExp][] = [
  [
    { arMode: "transformer", sizeWindow: 20480 },
    /transformer \(arMode transformer\): attention over a fixed window of 128 frames cannot be streamed/,
  ],
  [{ cpc_mode: "reverse" }, /backwards.*\(cpc_mode reverse\), which cannot be streamed/],
  [{ cpc_mode: "bert" }, /bidirectional \(cpc_mode bert\)/],
  [{ cpc_mode: "other" }, /cpc_mode other is unknown/],
  [{ normMode: "instanceNorm" }, /instance norm \(normMode instanceNorm\).*cannot be streamed/],
  [{ arMode: "RNN" }, /context network is RNN \(arMode\); GRU and LSTM are supported/],
  [{ arMode: "no_ar" }, /no context network/],
  [{ encoder_type: "mfcc" }, /encoder is mfcc/],
  [{ hiddenEncoder: 9 }, /has 8 channels, its arguments say 9/],
  [{ hiddenGar: 9 }, /gAR\.baseNet\.weight_ih_l0 must have shape \[36,8\], it has \[24,8\]/],
  [{ nLevelsGRU: 3 }, /tensor gAR\.baseNet\.weight_ih_l2 of shape \[24,6\] is missing/],
  [
    { nLevelsGRU: 1 },
    /tensor gAR\.baseNet\.weight_ih_l1 of shape \[24,6\] is not part of the architecture/,
  ],
  [{ nLevelsGRU: "2" }, /training arguments.*nLevelsGRU/],
];

for (const [args, why] of REFUSED_ARGS) {
  Deno.test(`importCheckpoint() refuses CPC_audio with ${JSON.stringify(args)}`, () => {
    refused(
      () => importCheckpoint(cpcAudio(lstm), { args, name: "x.pt" }),
      new RegExp(`^cannot convert x\\.pt: .*${why.source}`),
    );
  });
}

Deno.test("importCheckpoint() refuses CPC_audio without the arguments' direction", () => {
  refused(() => importCheckpoint(cpcAudio(lstm)), /no checkpoint_args\.json beside it/);
  assert.equal(importCheckpoint(cpcAudio(lstm), { args: {} }).kind, "CPC_audio");
});

Deno.test("importCheckpoint() takes sizes from the tensors of a model trained on", () => {
  const { config, notes } = importCheckpoint(cpcAudio(lstm), {
    args: { load: ["other/checkpoint_3.pt"], nLevelsGRU: 1, hiddenGar: 256 },
  });
  assert.deepEqual(config.context, { type: "lstm", hidden: 6, layers: 2 });
  assert.match(notes.join(), /trained on from another checkpoint/);
});

const DAMAGE: [string, Parameters<typeof cpcAudio>[1], RegExp][] = [
  [
    "a missing tensor",
    ({ model }) => model.delete("gAR.baseNet.bias_hh_l1"),
    /tensor gAR\.baseNet\.bias_hh_l1 of shape \[24\] is missing/,
  ],
  [
    "no convolution",
    ({ model }) => model.delete("gEncoder.conv0.weight"),
    /tensor gEncoder\.conv0\.weight is missing/,
  ],
  [
    "a misshapen tensor",
    ({ model }) => model.set("gEncoder.conv3.weight", zeros([8, 8, 3])),
    /tensor gEncoder\.conv3\.weight must have shape \[8,8,4\], it has \[8,8,3\]/,
  ],
  [
    "NaN",
    ({ model }) => model.set("gEncoder.conv2.bias", tensor([8], [0, 0, NaN, 0, 0, 0, 0, 0])),
    /gEncoder\.conv2\.bias holds NaN at element 2/,
  ],
  [
    "integers",
    ({ model }) =>
      model.set(
        "gEncoder.conv2.bias",
        tensor([8], storage([1, 2, 3, 4, 5, 6, 7, 8], "LongStorage")),
      ),
    /conv2\.bias holds int64/,
  ],
  [
    "an unknown tensor",
    ({ model }) => model.set("gAR.extra", zeros([2])),
    /tensor gAR\.extra of shape \[2\] is not part/,
  ],
  [
    "a bidirectional LSTM",
    ({ model }) => model.set("gAR.baseNet.weight_ih_l0_reverse", zeros([24, 8])),
    /bidirectional.*cannot be streamed/,
  ],
  [
    "instance norm",
    ({ model }) => model.set("gEncoder.batchNorm0.weight", zeros([8])),
    /instance norm .*cannot be streamed/,
  ],
  [
    "no width",
    ({ model }) => model.set("gEncoder.conv0.weight", zeros([0, 1, 10])),
    /must have shape|out of bounds/,
  ],
  [
    "a transformer's tensors only",
    ({ model }) =>
      [...model.keys()].filter((name) => name.startsWith("gAR.")).forEach((name) =>
        model.delete(name)
      ),
    /no recurrent context network/,
  ],
  [
    "predictors of another width",
    ({ criterion }) => criterion.set("wPrediction.predictors.1.weight", zeros([8, 7])),
    /wPrediction\.predictors\.1\.weight must have shape \[8,6\], it has \[8,7\]/,
  ],
  [
    "a function",
    ({ model }) => model.set("hook", new Call("posix.system", ["true"])),
    /refers to posix\.system/,
  ],
];

for (const [what, change, why] of DAMAGE) {
  Deno.test(`importCheckpoint() refuses CPC_audio with ${what} by name`, () => {
    refused(() => importCheckpoint(cpcAudio(lstm, change), { args: {} }), why);
  });
}

Deno.test("importCheckpoint() drops predictors that need a speaker, and says so", () => {
  const { config, notes } = importCheckpoint(cpcAudio(lstm), { args: { speakerEmbedding: 4 } });
  assert.equal(config.predictors, null);
  assert.match(notes.join(), /speaker's embedding/);
});
