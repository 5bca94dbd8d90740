import assert from "node:assert/strict";
import fc from "fast-check";
import { offlineFrames } from "../../model/architecture.ts";
import { meanFigures, type ObjectiveFigures, totalOf } from "../../model/objective.ts";
import { framesOf, objective } from "../../model/reference_objective.ts";
import { referenceForward, referencePredictions } from "../../model/reference.ts";
import { reversedModel } from "../../model/reverse.ts";
import { seeded } from "../../model/seeded.ts";
import type { Weights } from "../../model/weights.ts";
import { SCORE_LIMITS } from "../../recordings/score_options.ts";
import { caseWeights, fixtureSamples, maxDifference } from "../support/golden.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";
import { TEST_MODELS, type TestServer, wav, withServer } from "../support/server.ts";
import { random } from "../support/stream.ts";

const [tiny] = TEST_MODELS;
const context = { type: "gru" as const, hidden: 5, layers: 2 };
/** As CDCK6: two networks; and one whose reversed network predicts another number of steps. */
const both = randomWeights(
  { ...tinyConfig, reverse: { context, predictors: tinyConfig.predictors } },
  23,
  "both",
);
const uneven = randomWeights(
  { ...tinyConfig, reverse: { context, predictors: { steps: 2, type: "linear" } } },
  24,
  "uneven",
);

/** Speech-like loudness, exact in 16 bits. */
function sound(length: number, seed: number): Float32Array {
  const next = random(seed);
  let loudness = 1;
  return Float32Array.from({ length }, (_, i) => {
    if (i % 800 === 0) loudness = next();
    return Math.round((next() * 2 - 1) * loudness * 32767) / 32768;
  });
}

function post(
  app: TestServer["app"],
  files: readonly Uint8Array<ArrayBuffer>[],
  options: Record<string, string> = {},
) {
  const form = new FormData();
  for (const [name, value] of Object.entries(options)) form.append(name, value);
  for (const file of files) form.append("file", new Blob([file]), "clip.wav");
  return app.request("/v1/score", { method: "POST", body: form });
}

/** Figures, and by step the share of windows whose best score is as good as another's. */
type Expected = ObjectiveFigures & { readonly tied: readonly number[] };

/** Differences of log softmax that single precision does not tell apart. */
const TIE = 2e-4;

/** The share of columns j of log softmax (over dim 1) whose two best rows are as good as equal. */
function tiedShare(total: Float64Array): number {
  const N = Math.sqrt(total.length);
  const rows = Array.from({ length: N }, (_, i) => {
    const row = [...total.subarray(i * N, (i + 1) * N)];
    const largest = Math.max(...row);
    return row.map((x) =>
      x - largest - Math.log(row.reduce((sum, y) => sum + Math.exp(y - largest), 0))
    );
  });
  const tied = Array.from({ length: N }, (_, j) => {
    const [best, second] = rows.map((row) => row[j]).sort((a, b) => b - a);
    return best - second <= TIE;
  });
  return tied.filter(Boolean).length / N;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The figures of windows, by the plain reference. */
function expected(
  weights: Weights,
  windows: readonly Float32Array[],
  times: readonly number[],
): Expected {
  const features = windows.map((samples) => {
    const { latent, hidden } = referenceForward(weights, samples);
    return { latent, predictions: referencePredictions(weights, hidden) };
  });
  const steps = weights.config.predictors?.steps ?? 0;
  const all = (part: (of: typeof features[number]) => Float64Array) =>
    Float64Array.from(features.flatMap((of) => [...part(of)]));
  const at = { windows: windows.length, frames: features[0].latent.frames };
  const [latent, predicted] = [
    all(({ latent }) => latent.data),
    all(({ predictions }) => predictions.data),
  ];
  const batches = times.map((t) => ({
    windows: windows.length,
    steps,
    future: framesOf(latent, { ...at, from: t + 1, to: t + 1 + steps }),
    predictions: framesOf(predicted, { ...at, from: t, to: t + 1 }),
  }));
  return {
    ...meanFigures(batches.map((batch) => objective(batch))),
    tied: Array.from(
      { length: steps },
      (_, i) => meanOf(batches.map((batch) => tiedShare(totalOf(batch, i + 1)))),
    ),
  };
}

function cut(samples: Float32Array, length: number): Float32Array[] {
  return Array.from(
    { length: Math.floor(samples.length / length) },
    (_, i) => samples.slice(i * length, (i + 1) * length),
  );
}

/** Tied columns may go to either row; all others must go to the right one. */
function assertFigures(actual: ObjectiveFigures, truth: Expected, tolerance = 1e-4): void {
  assert.ok(Math.abs(actual.nce - truth.nce) <= tolerance, `nce ${actual.nce} is not ${truth.nce}`);
  assert.equal(actual.accuracy, actual.steps.at(-1)?.accuracy);
  assert.deepEqual(actual.steps.map(({ k }) => k), truth.steps.map(({ k }) => k));
  for (const [i, { nce, accuracy }] of actual.steps.entries()) {
    assert.ok(Math.abs(nce - truth.steps[i].nce) <= tolerance, `nce of step ${i + 1}`);
    assert.ok(
      Math.abs(accuracy - truth.steps[i].accuracy) <= truth.tied[i] + 1e-9,
      `accuracy of step ${i + 1}: ${accuracy} is not ${truth.steps[i].accuracy}`,
    );
  }
}

async function refused(
  response: Response,
  [status, code, param]: [number, string, string | undefined],
  message: RegExp,
) {
  const { error } = await response.json();
  assert.deepEqual(
    [response.status, error.code, error.param],
    [status, code, param],
    error.message,
  );
  assert.match(error.message, message);
}

Deno.test("POST /v1/score: windows of all clips in order, remainders dropped, at a given t, as the reference computes them", async () => {
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

Deno.test("POST /v1/score: every t of a window, the first and the last too, in windows of any length", async () => {
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

Deno.test("POST /v1/score: times=all gives the means over every t; a seed draws the documented t", async () => {
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

Deno.test("POST /v1/score: predictions come from the last layer where another is the context", async () => {
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

Deno.test("POST /v1/score: a reversed network hears each window backwards at the same t; the figures are the means of both", async () => {
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

Deno.test("POST /v1/score: a model of CDCK6's kind gives PyTorch's figures of both networks", async () => {
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

Deno.test("POST /v1/score: one network alone is scored where there is no other, or one that predicts other steps", async () => {
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

Deno.test("GET /v1/models tells of a reversed network; streams and embeddings are those of the forward one", async () => {
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

Deno.test("POST /v1/score refuses what cannot be scored, with the bounds", async () => {
  await withServer(async ({ app }) => {
    const clip = wav(sound(5000, 7));
    const option = (name: string): [number, string, string] => [422, "invalid_option", name];
    await refused(
      await post(app, [clip]),
      option("window"),
      /2 to 512 windows.*20480.*5000.* make 0/,
    );
    await refused(await post(app, [clip], { window: "2600" }), option("window"), /make 1$/);
    const many = wav(sound((SCORE_LIMITS.windows + 1) * 640, 8));
    await refused(
      await post(app, [many], { window: "640" }),
      option("window"),
      /2 to 512 .* make 513/,
    );
    await refused(
      await post(app, [clip], { window: "640", t: "1" }),
      option("t"),
      /0 to 0 .*got 1/,
    );
    await refused(
      await post(app, [clip], { window: "2000", t: "9" }),
      option("t"),
      /0 to 8 .*got 9/,
    );
    await refused(
      await post(app, [clip], { window: "2000", t: "1", times: "all" }),
      option("t"),
      /leave out t/,
    );
    for (const t of ["-1", "2.5", "", "1e1", "last"]) {
      await refused(
        await post(app, [clip], { window: "2000", t }),
        option("t"),
        new RegExp(`got "${t}"`),
      );
    }
    await refused(await post(app, [clip], { window: "0" }), option("window"), /got "0"/);
    await refused(
      await post(app, [clip], { window: "160001" }),
      option("window"),
      /160000.*got "160001"/,
    );
    await refused(
      await post(app, [clip], { seed: "4294967296" }),
      option("seed"),
      /4294967295.*got "4294967296"/,
    );
    await refused(await post(app, [clip], { seed: "-1" }), option("seed"), /got "-1"/);
    await refused(await post(app, [clip], { times: "some" }), option("times"), /got "some"/);
    await refused(await post(app, [clip], { pool: "mean" }), option("pool"), /unknown option pool/);
    await refused(await post(app, [clip], { model: "mute" }), option("model"), /no predictors/);
    await refused(
      await post(app, [clip], { model: "none" }),
      [404, "model_not_found", "model"],
      /tiny/,
    );
    await refused(await post(app, [clip, wav([])]), [400, "invalid_audio", "input[1]"], /./);
  });
});

Deno.test("POST /v1/score: one window, a t beyond the last and windows too short are refused wherever the options stand", async () => {
  await withServer(async ({ app }) => {
    const clip = wav(sound(5000, 15));
    const inputs = [clip.toBase64()];
    const asJson = (options: Record<string, unknown>) =>
      app.request("/v1/score", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ input: inputs, ...options }),
      });
    const asQuery = (options: Record<string, unknown>) =>
      app.request(`/v1/score?${new URLSearchParams(options as Record<string, string>)}`, {
        method: "POST",
        headers: { "content-type": "audio/wav" },
        body: clip,
      });
    for (const send of [asJson, asQuery]) {
      await refused(
        await send({ window: 2501 }),
        [422, "invalid_option", "window"],
        /2 to 512 windows.* make 1$/,
      );
      await refused(
        await send({ window: 2500, t: 12 }),
        [422, "invalid_option", "t"],
        /0 to 11 .*got 12/,
      );
      await refused(
        await send({ window: 400 }),
        [422, "audio_too_short", "window"],
        /\d+ samples or more.*got 400/,
      );
      for (const t of [0, 11]) {
        assert.deepEqual((await (await send({ window: 2500, t })).json()).t, [t]);
      }
    }
    for (const t of [true, null, [1], "x"]) {
      await refused(await asJson({ window: 2500, t }), [422, "invalid_option", "t"], /option t/);
    }
  });
});

Deno.test("POST /v1/score: the shortest window that is named is the shortest that works", async () => {
  await withServer(async ({ app }) => {
    const clip = wav(sound(5000, 9));
    const short = await post(app, [clip], { window: "100" });
    assert.equal(short.status, 422);
    const { error } = await short.json();
    assert.deepEqual([error.code, error.param], ["audio_too_short", "window"]);
    const least = Number(/(\d+) samples or more/.exec(error.message)?.[1]);
    assert.equal((await post(app, [clip], { window: `${least - 1}` })).status, 422);
    assert.equal((await post(app, [clip], { window: `${least}` })).status, 200);
  });
});

Deno.test("POST /v1/score gives its slots back, after failures too", async () => {
  await withServer(async ({ app, ctx }) => {
    const loud = wav(sound(4000, 10).map((x) => Math.sign(x) * 3e38), { tag: 3, bits: 32 });
    assert.equal((await post(app, [loud], { window: "1000" })).status, 400);
    assert.equal((await post(app, [wav(sound(4000, 11))], { window: "1000" })).status, 200);
    assert.equal(ctx.pool.streams, 0);
  });
});
