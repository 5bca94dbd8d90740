import assert from "node:assert/strict";
import { importCheckpoint } from "../../../model/checkpoints/checkpoint.ts";
import type { EngineKind } from "../../../model/engine.ts";
import { referenceForward, referencePredictions } from "../../../model/reference.ts";
import type { Weights } from "../../../model/weights.ts";
import { checkpointFixture, refused } from "../../support/checkpoints.ts";
import { indices, maxDifference, pick, readGolden } from "../../support/golden.ts";
import { random, streamWhole } from "../../support/stream.ts";
import { dict, torchZip } from "../../support/torch_writer.ts";
import { createEngine } from "../../../model/engines/create.ts";
import { zeros } from "../../support/foreign_checkpoints.ts";

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
  Deno.test(`importCheckpoint() of ${name}: the reference gives its numbers`, async () => {
    const { weights, samples } = importFixture(name);
    const { latent, context, hidden } = referenceForward(weights, samples);
    await checkAgainstOriginal(name, { latent: latent.data, context: context.data }, (rows) => {
      const predictions = referencePredictions(weights, hidden);
      return Promise.resolve(pick(predictions.data, { width: predictions.width, rows }));
    });
  });

  for (const [kind, device] of ENGINES) {
    Deno.test(`importCheckpoint() of ${name}: ${kind} streams its numbers`, async () => {
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

Deno.test("importCheckpoint() of the fixtures tells kind, sizes, and what it left out", () => {
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

Deno.test("importCheckpoint() names what an unknown file holds", () => {
  refused(
    () => importCheckpoint(torchZip(dict({ "linear.weight": zeros([2, 2]) }))),
    /not a known model.*it holds linear\.weight/,
  );
  refused(() => importCheckpoint(torchZip([1, 2])), /it does not hold a dict/);
  refused(() => importCheckpoint(torchZip(dict({}))), /it holds nothing/);
});

Deno.test("importCheckpoint() of changed bytes gives the same model or refuses", () => {
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
