import assert from "node:assert/strict";
import { type ModelConfig, modelConfigSchema } from "../../../model/architecture.ts";
import { importCheckpoint } from "../../../model/checkpoints/checkpoint.ts";
import { toPyTorch } from "../../../model/checkpoints/to_pytorch.ts";
import { type EngineKind } from "../../../model/engine.ts";
import { referenceForward, referencePredictions } from "../../../model/reference.ts";
import type { Tensor } from "../../../model/safetensors.ts";
import type { Weights } from "../../../model/weights.ts";
import { checkpointFixture, refused } from "../../support/checkpoints.ts";
import { indices, maxDifference, pick, readGolden } from "../../support/golden.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";
import { random, streamWhole } from "../../support/stream.ts";
import {
  Call,
  dict,
  stateDict,
  storage,
  tensor,
  torchLegacy,
  torchZip,
  type Value,
} from "../../support/torch_writer.ts";
import { createEngine } from "../../../model/engines/create.ts";

const TOLERANCE = 1e-4;
/** The engines and a device that each has everywhere. */
const ENGINES: readonly [kind: EngineKind, device: string][] = [["onnx", "cpu"], ["tfjs", "wasm"]];
const FIXTURES = ["hub_lstm2", "cpc_audio_conv4", "cpc_audio_lstm1"];

function importFixture(name: string) {
  const fixture = checkpointFixture(name);
  const imported = importCheckpoint(fixture.bytes, { name, args: fixture.args });
  const weights: Weights = { id: name, ...imported };
  return { ...fixture, imported, weights };
}

/** Holds features of the whole input against what the original gave for its first frames. */
async function checkAgainstOriginal(
  name: string,
  features: { latent: ArrayLike<number>; context: ArrayLike<number> },
  predict: (frames: number[]) => Promise<ArrayLike<number>>,
) {
  const expected = readGolden(checkpointFixture(name).expected);
  const wanted = (key: string) => Array.from(expected.get(key)!.data, Number);
  for (const [key, rows] of [["z", features.latent], ["c", features.context]] as const) {
    const difference = maxDifference(Array.from(rows).slice(0, wanted(key).length), wanted(key));
    assert.ok(difference <= TOLERANCE, `${key}: ${difference}`);
  }
  if (!expected.has("pred")) return;
  const difference = maxDifference(
    await predict(indices(expected.get("pred_frames"))),
    wanted("pred"),
  );
  assert.ok(difference <= TOLERANCE, `pred: ${difference}`);
}

for (const name of FIXTURES) {
  Deno.test(`importCheckpoint() of ${name}: the reference gives what the original gave`, async () => {
    const { weights, samples } = importFixture(name);
    const { latent, context, hidden } = referenceForward(weights, samples);
    await checkAgainstOriginal(name, { latent: latent.data, context: context.data }, (rows) => {
      const predictions = referencePredictions(weights, hidden);
      return Promise.resolve(pick(predictions.data, { width: predictions.width, rows }));
    });
  });

  for (const [kind, device] of ENGINES) {
    Deno.test(`importCheckpoint() of ${name}: ${kind} streams in random chunks what the original gave whole`, async () => {
      const { weights, samples } = importFixture(name);
      const engine = await createEngine(kind, weights, { device, precision: "fp32", threads: 1 });
      try {
        const next = random(9);
        const chunks = Array.from({ length: 40 }, () => 1 + Math.floor(next() ** 3 * 1500));
        const features = await streamWhole(engine, samples, chunks);
        const width = engine.layout.dims.context;
        await checkAgainstOriginal(
          name,
          features,
          (rows) => engine.predict(Float32Array.from(pick(features.hidden, { width, rows }))),
        );
      } finally {
        await engine.dispose();
      }
    });
  }
}

Deno.test("importCheckpoint() of the fixtures tells kind, sizes, what is missing and what was skipped", () => {
  const hub = importFixture("hub_lstm2").imported;
  assert.deepEqual([hub.kind, hub.config.encoder[0].channels, hub.config.encoder[0].norm], [
    "CPC_audio hub",
    56,
    "channel",
  ]);
  assert.deepEqual(hub.config.context, { type: "lstm", hidden: 44, layers: 2 });
  assert.equal(hub.config.predictors, null);
  assert.match(hub.notes.join(), /no predictions: the file has no criterion/);
  const conv4 = importFixture("cpc_audio_conv4").imported;
  assert.equal(conv4.config.predictors, null);
  assert.match(conv4.notes.join(), /not linear \(rnnMode conv4\)/);
  assert.deepEqual(conv4.skipped, [
    "optimizer",
    "best",
    "8 criterion tensors (wPrediction.predictors.0.module.module.weight, …)",
  ]);
  const linear = importFixture("cpc_audio_lstm1").imported;
  assert.deepEqual([linear.config.predictors, linear.notes], [{ steps: 4, type: "linear" }, []]);
  assert.deepEqual([linear.inputScale.value, linear.config.input_scale], [1, 1]);
});

// Models of other projects under their own names, made from random weights of ours.

const lstm = modelConfigSchema.parse({
  ...tinyConfig,
  encoder: tinyConfig.encoder.map((layer) => ({ ...layer, norm: "channel" })),
  context: { type: "lstm", hidden: 6, layers: 2 },
});
const noBias = (weights: Weights): Weights => ({
  ...weights,
  tensors: new Map(
    [...weights.tensors].filter(([name]) => !/^(encoder.*conv|predictors.*)\.bias$/.test(name)),
  ),
});
const state = (tensors: Iterable<readonly [string, Tensor]>) => stateDict(tensors);

/** A CDCK file as its trainer writes it. */
function cdckFile(
  config: ModelConfig,
  prefix = "",
): { weights: Weights; value: Map<string, Value>; kind: string } {
  const weights = noBias(randomWeights(config, 4));
  const { kind, model } = toPyTorch(weights);
  const counters: [string, Value][] = [1, 4, 7, 10, 13].map((i) => [
    `${prefix}encoder.${i}.num_batches_tracked`,
    tensor([], storage([7], "LongStorage")),
  ]);
  const state_dict = new Map<string, Value>([
    ...stateDict([...model].map(([n, t]) => [prefix + n, t] as const)),
    ...counters,
  ]);
  return {
    weights,
    kind,
    value: dict({
      epoch: 2,
      validation_acc: 0.25,
      state_dict,
      validation_loss: 1.5,
      optimizer: null,
    }),
  };
}

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
  Deno.test(`importCheckpoint() reads ${kind}, plain and under DataParallel, from both serialisations`, () => {
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
  const imported = importCheckpoint(torchZip(state(names)));
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

/** A CPC_audio file with changes, made from random weights. */
function cpcAudio(
  config: ModelConfig,
  change: (parts: { model: Map<string, Value>; criterion: Map<string, Value> }) => void = () => {},
) {
  const { model, criterion } = toPyTorch(noBias(randomWeights(config, 8)));
  const parts = { model: state(model), criterion: state(criterion ?? []) };
  change(parts);
  return torchZip(
    dict({
      gEncoder: parts.model,
      cpcCriterion: parts.criterion,
      optimizer: dict({ state: dict({}) }),
      best: dict({}),
    }),
  );
}

Deno.test("importCheckpoint() reads CPC_audio's GRUs and LSTMs of 1 to 4 layers under every norm that streams", () => {
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
      const file = torchZip(dict({ gEncoder: state(toPyTorch(weights).model), optimizer: null }));
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

Deno.test("importCheckpoint() refuses CPC_audio without its arguments, which tell the direction", () => {
  refused(() => importCheckpoint(cpcAudio(lstm)), /no checkpoint_args\.json beside it/);
  assert.equal(importCheckpoint(cpcAudio(lstm), { args: {} }).kind, "CPC_audio");
});

Deno.test("importCheckpoint() takes sizes from the tensors where a model was trained on from another", () => {
  const { config, notes } = importCheckpoint(cpcAudio(lstm), {
    args: { load: ["other/checkpoint_3.pt"], nLevelsGRU: 1, hiddenGar: 256 },
  });
  assert.deepEqual(config.context, { type: "lstm", hidden: 6, layers: 2 });
  assert.match(notes.join(), /trained on from another checkpoint/);
});

const random3 = (shape: number[]) =>
  tensor(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));
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
    ({ model }) => model.set("gEncoder.conv3.weight", random3([8, 8, 3])),
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
    ({ model }) => model.set("gAR.extra", random3([2])),
    /tensor gAR\.extra of shape \[2\] is not part/,
  ],
  [
    "a bidirectional LSTM",
    ({ model }) => model.set("gAR.baseNet.weight_ih_l0_reverse", random3([24, 8])),
    /bidirectional.*cannot be streamed/,
  ],
  [
    "instance norm",
    ({ model }) => model.set("gEncoder.batchNorm0.weight", random3([8])),
    /instance norm .*cannot be streamed/,
  ],
  [
    "no width",
    ({ model }) => model.set("gEncoder.conv0.weight", random3([0, 1, 10])),
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
    ({ criterion }) => criterion.set("wPrediction.predictors.1.weight", random3([8, 7])),
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

Deno.test("importCheckpoint() refuses a CDCK model with a bidirectional GRU, a missing predictor or a speaker classifier's tensors", () => {
  const change = (edit: (state: Map<string, Value>) => void) => {
    const { value } = cdckFile(tinyConfig);
    edit(value.get("state_dict") as Map<string, Value>);
    return () => importCheckpoint(torchZip(value));
  };
  refused(
    change((state) => state.set("gru.weight_ih_l0_reverse", random3([18, 8]))),
    /bidirectional/,
  );
  refused(
    change((state) => state.delete("Wk.0.weight")),
    /tensor Wk\.0\.weight of shape \[8,6\] is missing/,
  );
  refused(change((state) => state.delete("Wk.1.weight")), /tensor Wk\.1\.bias.* not part of/);
  refused(
    change((state) => state.set("classifier.0.weight", random3([2, 2]))),
    /classifier\.0\.weight/,
  );
  refused(
    change((state) =>
      state.set("encoder.1.running_var", tensor([8], new Float32Array(8).fill(-1)))
    ),
    /negative variance/,
  );
});

Deno.test("importCheckpoint() names what an unknown file holds", () => {
  refused(
    () => importCheckpoint(torchZip(dict({ "linear.weight": random3([2, 2]) }))),
    /not a known model.*it holds linear\.weight/,
  );
  refused(() => importCheckpoint(torchZip([1, 2])), /it does not hold a dict/);
  refused(() => importCheckpoint(torchZip(dict({}))), /it holds nothing/);
});

Deno.test("importCheckpoint() of a fixture with changed bytes gives the same model or refuses", () => {
  const { bytes, args, imported } = importFixture("cpc_audio_lstm1");
  const next = random(12);
  const weights = JSON.stringify(imported.config);
  for (let i = 0; i < 150; i++) {
    const damaged = bytes.slice(0, i % 3 ? undefined : Math.floor(next() * bytes.length));
    for (let n = 0; n < 3; n++) {
      damaged[Math.floor(next() ** (1 + i % 3) * damaged.length)] ^= 1 << Math.floor(next() * 8);
    }
    try {
      assert.equal(JSON.stringify(importCheckpoint(damaged, { args }).config), weights);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      refused(() => {
        throw error;
      }, /^cannot convert the checkpoint: /);
    }
  }
});
