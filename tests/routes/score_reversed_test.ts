import assert from "node:assert/strict";
import type { ObjectiveFigures } from "../../model/objective.ts";
import { referenceForward } from "../../model/reference.ts";
import { reversedModel } from "../../model/reverse.ts";
import { caseWeights, fixtureSamples, maxDifference } from "../support/golden.ts";
import { TEST_MODELS, wav, withServer } from "../support/server.ts";
import { assertFigures, both, cut, expected, post, sound, uneven } from "../support/scores.ts";

const [tiny] = TEST_MODELS;

Deno.test("POST /v1/score: a reversed network hears windows backwards at one t", async () => {
  await withServer(async ({ app, ctx }) => {
    const samples = sound(7000, 12);
    const windows = cut(samples, 1900);
    for (
      const options of [{ t: "0" }, { t: "4" }, { t: "7" }, { seed: "9" }, {
        times: "all",
      }] as Record<string, string>[]
    ) {
      const answer = await (await post(app, [wav(samples)], { window: "1900", ...options })).json();
      const { t, windows: count, model, forward, reverse, ...figures } = answer;
      assert.deepEqual([count, model], [3, "both"]);
      const own = [
        expected(both, windows, t),
        expected(reversedModel(both)!, windows.map((window) => window.toReversed()), t),
      ];
      assertFigures(forward, own[0]);
      assertFigures(reverse, own[1]);
      const mean = (of: (figures: ObjectiveFigures) => number) => (of(own[0]) + of(own[1])) / 2;
      assertFigures(figures, {
        nce: mean(({ nce }) => nce),
        accuracy: mean(({ accuracy }) => accuracy),
        steps: own[0].steps.map(({ k }, i) => ({
          k,
          nce: mean(({ steps }) => steps[i].nce),
          accuracy: mean(({ steps }) => steps[i].accuracy),
        })),
        tied: own[0].tied.map((share, i) => (share + own[1].tied[i]) / 2),
      });
    }
    assert.equal(ctx.pool.streams, 0);
  }, { models: [both] });
});

Deno.test("POST /v1/score: CDCK6 gives PyTorch's figures of both networks", async () => {
  const index = JSON.parse(
    Deno.readTextFileSync(new URL("../fixtures/golden/index.json", import.meta.url)),
  );
  const named = (name: string) =>
    index.objective.find((golden: { name: string }) => golden.name === name);
  const golden = named("objective_cdck6_both");
  const files = golden.windows.map(({ wav: name, start }: { wav: string; start: number }) =>
    wav(fixtureSamples(name, { start, samples: golden.window }))
  );
  await withServer(async ({ app }) => {
    const answer = await (await post(app, files, { t: `${golden.t}` })).json();
    const parts = [[answer, golden], [answer.forward, named("objective_cdck6_forward")], [
      answer.reverse,
      named("objective_cdck6_reverse"),
    ]];
    for (const [figures, wanted] of parts) {
      assert.ok(Math.abs(figures.nce - wanted.nce) <= 1e-4, `${figures.nce} is not ${wanted.nce}`);
      assert.equal(figures.accuracy, wanted.accuracy);
    }
  }, { models: [await caseWeights(golden.model)] });
});

Deno.test("POST /v1/score: one network alone is scored where no other fits it", async () => {
  await withServer(async ({ app }) => {
    const samples = sound(5000, 13);
    for (const weights of [tiny, uneven]) {
      const answer =
        await (await post(app, [wav(samples)], { window: "2000", t: "3", model: weights.id }))
          .json();
      assert.deepEqual(Object.keys(answer), ["nce", "accuracy", "steps", "windows", "t", "model"]);
      assertFigures(answer, expected(weights, cut(samples, 2000), [3]));
    }
  }, { models: [tiny, uneven] });
});

Deno.test("GET /v1/models tells of a reversed network, which streams never use", async () => {
  await withServer(async ({ app }) => {
    const { data } = await (await app.request("/v1/models")).json();
    assert.deepEqual(
      data.map(({ id, reverse }: { id: string; reverse?: unknown }) => [id, reverse]),
      [
        ["both", { context: 5, steps: 3, scored: true, streamed: false }],
        ["uneven", { context: 5, steps: 2, scored: false, streamed: false }],
        ["tiny", undefined],
      ],
    );
    assert.match(data[0].architecture, /reversed context network \(not streamed\)/);
    assert.equal((await app.request("/v1/models/both%2Freverse")).status, 404);
    const samples = sound(3000, 14);
    const body = new Blob([wav(samples)]);
    const answer =
      await (await app.request("/v1/embeddings?output=context", { method: "POST", body })).json();
    assert.ok(
      maxDifference(answer.data[0].context.flat(), referenceForward(both, samples).context.data) <=
        1e-4,
    );
    const refusal = await app.request("/v1/embeddings?model=both/reverse", {
      method: "POST",
      body,
    });
    assert.equal(refusal.status, 404);
  }, { models: [both, uneven, tiny] });
});
