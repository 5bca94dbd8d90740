import assert from "node:assert/strict";
import fc from "fast-check";
import {
  exactFrames,
  minimumSamples,
  modelConfigSchema,
  offlineFrames,
  streamingPlan,
  totalRows,
} from "../../model/architecture.ts";
import { modelLayout } from "../../model/engine.ts";
import { anyConfig, tinyConfig } from "../support/models.ts";

Deno.test("streamingPlan() gives the published figures of CPC's encoder", () => {
  const plan = streamingPlan(tinyConfig);
  assert.equal(plan.hopSamples, 160);
  assert.equal(plan.receptiveFieldSamples, 465);
  assert.equal(plan.lookaheadSamples, 312);
  assert.deepEqual(plan.convs.map((conv) => conv.tailRows), [5, 4, 2, 2, 2]);
});

Deno.test("modelLayout() keeps the shipped model's state within 32 KB", () => {
  const config = modelConfigSchema.parse(
    JSON.parse(
      Deno.readTextFileSync(new URL("../../weights/cpc-base/config.json", import.meta.url)),
    ),
  );
  assert.equal(modelLayout(config).stateFloats, 5 + (4 + 2 + 2 + 2) * 512 + 256);
  assert.ok(modelLayout(config).stateFloats * 4 <= 32 * 1024);
});

Deno.test("minimumSamples() is where the first frame appears, for any stack", () => {
  fc.assert(fc.property(anyConfig, (config) => {
    const least = minimumSamples(config);
    assert.equal(offlineFrames(config, least) >= 1, true);
    if (least > 1) assert.equal(offlineFrames(config, least - 1), 0);
  }));
});

Deno.test("exactFrames() never runs ahead of the offline count", () => {
  fc.assert(fc.property(anyConfig, fc.integer({ min: 1, max: 3000 }), (config, samples) => {
    const plan = streamingPlan(config);
    assert.ok(exactFrames(plan, samples) <= offlineFrames(config, samples));
    assert.equal(totalRows(config, samples).length, plan.convs.length);
  }));
});

Deno.test("exactFrames() counts a frame with the very sample that it needs last", () => {
  const plan = streamingPlan(tinyConfig);
  assert.deepEqual([plan.lookaheadSamples, plan.hopSamples], [312, 160]);
  for (
    const [samples, frames] of [[0, 0], [311, 0], [312, 1], [471, 1], [472, 2], [631, 2], [632, 3]]
  ) assert.equal(exactFrames(plan, samples), frames, `${samples} samples`);
  fc.assert(fc.property(anyConfig, fc.integer({ min: 1, max: 50 }), (config, frames) => {
    const plan = streamingPlan(config);
    const needed = plan.lookaheadSamples + (frames - 1) * plan.hopSamples;
    assert.equal(exactFrames(plan, needed), Math.max(0, frames));
    assert.equal(exactFrames(plan, needed - 1), frames - 1);
  }));
});

Deno.test("streamingPlan() wastes nothing: a short lead, and no negative delay", () => {
  fc.assert(fc.property(anyConfig, (config) => {
    const plan = streamingPlan(config);
    assert.ok(plan.leadSamples >= 0);
    assert.ok(plan.convs.every((conv) => conv.delayRows >= 0));
    const { delay_samples = 0 } = config;
    if (plan.delayFrames > 0) assert.ok(plan.leadSamples - delay_samples < plan.hopSamples);
  }));
});

Deno.test("streamingPlan() of a delayed model is its own, with zeros before the audio", () => {
  const [plan, delayed] = [undefined, 160].map((delay_samples) =>
    streamingPlan({ ...tinyConfig, delay_samples })
  );
  assert.deepEqual(delayed, {
    ...plan,
    leadSamples: plan.leadSamples + 160,
    lookaheadSamples: 152,
  });
  const config = { ...tinyConfig, delay_samples: 160 };
  assert.deepEqual(totalRows(config, 1000), totalRows(tinyConfig, 1160));
  assert.deepEqual(totalRows(config, 0), [0, 0, 0, 0, 0]); // without audio there is no frame
});

Deno.test("modelConfigSchema refuses what it does not know", () => {
  const good = {
    sample_rate: 16000,
    encoder: tinyConfig.encoder,
    context: tinyConfig.context,
    predictors: null,
  };
  assert.ok(modelConfigSchema.safeParse(good).success);
  assert.ok(modelConfigSchema.safeParse({ ...good, delay_samples: 311 }).success);
  for (
    const bad of [
      { ...good, version: 2 },
      { ...good, sample_rate: 8000 },
      { ...good, encoder: [] },
      { ...good, dropout: 0.1 },
      { ...good, context: { ...good.context, type: "transformer" } },
      { ...good, context: { ...good.context, output_layer: 2 } },
      { ...good, encoder: [{ ...good.encoder[0], padding: 10 }] },
      { ...good, encoder: [{ ...good.encoder[0], norm: "instance" }] },
      { ...good, predictors: { steps: 12, type: "transformer" } },
      { ...good, delay_samples: 312 }, // the first frame would hear zeros alone
      { ...good, delay_samples: -1 },
    ]
  ) assert.equal(modelConfigSchema.safeParse(bad).success, false, JSON.stringify(bad));
});
