import assert from "node:assert/strict";
import fc from "fast-check";
import { offlineFrames } from "../../model/architecture.ts";
import { seeded } from "../../model/seeded.ts";
import { caseWeights, fixtureSamples } from "../support/golden.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";
import { TEST_MODELS, wav, withServer } from "../support/server.ts";
import { assertFigures, cut, expected, post, sound } from "../support/scores.ts";

const [tiny] = TEST_MODELS;

Deno.test("POST /v1/score: windows of all clips in order, as the reference has it", async () => {
  await withServer(async ({ app }) => {
    const [a, b, c] = [sound(5000, 1), sound(1999, 2), sound(4100, 3)];
    const response = await post(app, [a, b, c].map((samples) => wav(samples)), {
      window: "2000",
      t: "4",
    });
    assert.equal(response.status, 200);
    const { windows, t, model, ...figures } = await response.json();
    assert.deepEqual([windows, t, model], [4, [4], "tiny"]);
    assertFigures(figures, expected(tiny, [...cut(a, 2000), ...cut(c, 2000)], [4]));
  });
});

Deno.test("POST /v1/score: every t of a window, in windows of any length", async () => {
  await withServer(async ({ app }) => {
    const samples = sound(12_000, 4);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 466, max: 4000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (window, where) => {
          const times = offlineFrames(tiny.config, window) - 3;
          fc.pre(times > 0);
          const t = Math.min(times - 1, Math.floor(where * times));
          const response = await post(app, [wav(samples)], { window: `${window}`, t: `${t}` });
          assertFigures(await response.json(), expected(tiny, cut(samples, window), [t]));
        },
      ),
      { numRuns: 12, examples: [[2000, 0], [2000, 1], [1497, 0]] },
    );
  });
});

Deno.test("POST /v1/score: times=all is the mean over t; a seed draws its t", async () => {
  await withServer(async ({ app }) => {
    const samples = sound(6000, 5);
    const all = await (await post(app, [wav(samples)], { window: "2000", times: "all" })).json();
    assert.deepEqual(all.t, [...Array(9).keys()]);
    assertFigures(all, expected(tiny, cut(samples, 2000), all.t));
    const drawn = new Set<number>();
    for (const seed of [0, 1, 2, 77, 4294967295]) {
      const { t } = await (await post(app, [wav(samples)], { window: "2000", seed: `${seed}` }))
        .json();
      assert.deepEqual(t, [Math.floor(seeded(seed)() * 9)]);
      drawn.add(t[0]);
    }
    assert.ok(drawn.size > 1);
  });
});

Deno.test("POST /v1/score: predictions come from the last layer", async () => {
  const context = { type: "lstm" as const, hidden: 6, layers: 2, output_layer: 1 };
  const models = [randomWeights({ ...tinyConfig, context }, 31, "layers")];
  await withServer(async ({ app }) => {
    const samples = sound(4000, 6);
    const figures = await (await post(app, [wav(samples)], { window: "1600", t: "5" })).json();
    assertFigures(figures, expected(models[0], cut(samples, 1600), [5]));
  }, { models });
});

Deno.test("POST /v1/score: the shipped model gives PyTorch's figures", async () => {
  const index = JSON.parse(
    Deno.readTextFileSync(new URL("../fixtures/golden/index.json", import.meta.url)),
  );
  const golden = index.objective.find(({ name }: { name: string }) =>
    name === "objective_cpc_base_clips_in_order"
  );
  const names: string[] = golden.windows.map(({ wav }: { wav: string }) => wav);
  const files = [...new Set(names)].map((name) => wav(fixtureSamples(name)));
  await withServer(async ({ app }) => {
    const { nce, accuracy, windows } = await (await post(app, files, { t: `${golden.t}` })).json();
    assert.equal(windows, golden.windows.length);
    assert.ok(Math.abs(nce - golden.nce) <= 1e-4, `${nce} is not ${golden.nce}`);
    assert.equal(accuracy, golden.accuracy);
  }, { models: [await caseWeights(golden.model)] });
});

Deno.test("POST /v1/score gives its slots back, after failures too", async () => {
  await withServer(async ({ app, ctx }) => {
    const loud = wav(sound(4000, 10).map((x) => Math.sign(x) * 3e38), { tag: 3, bits: 32 });
    assert.equal((await post(app, [loud], { window: "1000" })).status, 400);
    assert.equal((await post(app, [wav(sound(4000, 11))], { window: "1000" })).status, 200);
    assert.equal(ctx.pool.streams, 0);
  });
});
