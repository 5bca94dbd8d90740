import assert from "node:assert/strict";
import { modelLayout } from "../../model/engine.ts";
import { modelConfigSchema } from "../../model/architecture.ts";
import { parameterCount, type Weights } from "../../model/weights.ts";
import { fadingHead } from "../support/heads.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";
import { withServer } from "../support/server.ts";

const context = { type: "gru" as const, hidden: 5, layers: 1 };
const [first, ...rest] = tinyConfig.encoder;
/** With residual blocks, two norms, a deep LSTM and a reversed network. */
const odd = modelConfigSchema.parse({
  ...tinyConfig,
  encoder: [{ ...first, channels: 4, residual_blocks: 2, norm: "channel" }, ...rest],
  context: { type: "lstm", hidden: 6, layers: 2 },
  reverse: { context, predictors: { steps: 3, type: "linear" } },
});
const plain = modelConfigSchema.parse({
  ...tinyConfig,
  encoder: tinyConfig.encoder.map((layer) => ({ ...layer, norm: "none" })),
  predictors: null,
  reverse: { context, predictors: null },
});
const models: Weights[] = [
  { ...randomWeights(tinyConfig, 1, "tiny"), heads: [fadingHead({ dims: 6 })] },
  randomWeights(odd, 2, "odd"),
  randomWeights(plain, 3, "plain"),
];

Deno.test("GET /v1/models describes networks, sizes and heads", async () => {
  await withServer(async ({ app, ctx: { pool } }) => {
    Object.assign(pool, { secondsPerRow: () => ({ fading: 1.2349995e-5 }) });
    const list = await app.request("/v1/models");
    assert.equal(list.status, 200);
    const { data: [tiny, deep, bare] } = await list.json();
    assert.equal((await app.request("/v1/models/odd")).status, 200);
    const described = [tiny, deep, bare].map(({ architecture }) => architecture);
    const convs = "10/5 8/4 4/2 4/2 4/2";
    assert.deepEqual(described, [
      `conv 8 (${convs}, batch norm) · GRU 6 · 3 linear predictors`,
      `conv 4-8 (${convs}, channel/batch norm, 2 residual blocks) · LSTM 6 × 2 · ` +
      "3 linear predictors · reversed context network (not streamed)",
      `conv 8 (${convs}, no norm) · GRU 6 · no predictors · ` +
      "reversed context network (not streamed)",
    ]);
    for (const [i, model] of [tiny, deep, bare].entries()) {
      const { stateFloats } = modelLayout(models[i]!.config);
      assert.equal(model.state_bytes, 4 * stateFloats, model.id);
      assert.equal(model.parameters, parameterCount(models[i]!), model.id);
      assert.equal(model.frame_rate, 100);
      assert.equal("weights" in model, false);
    }
    assert.equal(tiny.minimum_samples, 159);
    assert.equal("reverse" in tiny, false);
    assert.deepEqual(deep.reverse, { context: 5, steps: 3, scored: true, streamed: false });
    assert.deepEqual(bare.reverse, { context: 5, steps: 0, scored: false, streamed: false });
    assert.deepEqual([deep.heads, bare.heads], [[], []]);
    const { input, channels, every, events, state } = models[0]!.heads![0]!.spec;
    const floats = state.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b), 0);
    assert.deepEqual(tiny.heads, [{
      name: "fading",
      input,
      channels,
      every,
      rate: 50,
      outputs: [{ name: "level", shape: [1, 6] }, { name: "loud", shape: [1], labels: ["loud"] }],
      events: events.map(({ event }) => event),
      row_us: 12.3,
      state_bytes: 4 * floats,
    }]);
  }, { models });
});
