import assert from "node:assert/strict";
import { referenceForward } from "../../model/reference.ts";
import { speakerHead } from "../../model/heads/speaker.ts";
import { cosine } from "../../model/speaker.ts";
import { TEST_MODELS, type TestServer, wav, withServer } from "../support/server.ts";
import { coarseNoise } from "../support/noise.ts";

const [tiny] = TEST_MODELS;
const C = 6;
const speaker = { features: "0".repeat(64), threshold: 0.5, seconds: 5, calibration: [] };
const models = [
  { ...tiny, heads: [speakerHead({ context: C, frameRate: 100 })], speaker },
  TEST_MODELS[1], // without a calibration
];

function pooled(samples: Float32Array): number[] {
  const { context: { data } } = referenceForward(tiny, samples);
  const frames = data.length / C;
  return Array.from({ length: C }, (_, i) => {
    let sum = 0;
    for (let t = 0; t < frames; t++) sum += data[t * C + i];
    return sum / frames;
  });
}

async function compare(
  app: TestServer["app"],
  files: readonly Float32Array[],
  options: Record<string, unknown> = {},
) {
  const input = files.map((samples) => wav(samples).toBase64());
  const response = await app.request("/v1/compare", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ input, ...options }),
  });
  return { status: response.status, ...await response.json() };
}

Deno.test("POST /v1/compare: the cosine of pooled contexts, and the decision", async () => {
  await withServer(async ({ app }) => {
    const [a, b] = [coarseNoise(6000, 1), coarseNoise(4000, 2)];
    const { status, cosine: alike, ...answer } = await compare(app, [a, b]);
    assert.equal(status, 200);
    assert.ok(Math.abs(alike - cosine(pooled(a), pooled(b))) <= 1e-4);
    assert.deepEqual(answer, {
      object: "comparison",
      model: "tiny",
      same: alike >= 0.5,
      threshold: 0.5,
      data: [{ index: 0, seconds: 0.375, frames: 37 }, { index: 1, seconds: 0.25, frames: 25 }],
      usage: { audio_seconds: 0.625 },
    });
    const { data: [{ heads: [head] }] } = await (await app.request("/v1/models")).json();
    assert.equal(head.voice, true, "what update enrols a voice for");
    const twice = await compare(app, [a, a]);
    assert.ok(Math.abs(twice.cosine - 1) <= 1e-6);
    assert.equal(twice.same, true);
  }, { models });
});

Deno.test("POST /v1/compare: an enrolled voice in place of a recording", async () => {
  await withServer(async ({ app }) => {
    const [a, b] = [coarseNoise(6000, 1), coarseNoise(4000, 2)];
    const voice = pooled(b).map((x) => -7 * x); // its length does not matter, its direction does
    const expected = -cosine(pooled(a), pooled(b));
    const json = await compare(app, [a], { voice });
    assert.ok(Math.abs(json.cosine - expected) <= 1e-4);
    assert.equal(json.same, json.cosine >= 0.5);
    assert.equal(json.data.length, 1);
    const form = new FormData();
    form.append("voice", voice.join(", "));
    form.append("file", new Blob([wav(a)]), "clip.wav");
    const response = await app.request("/v1/compare", { method: "POST", body: form });
    assert.equal((await response.json()).cosine, json.cosine);
  }, { models });
});

Deno.test("POST /v1/compare: a model without a calibration decides nothing", async () => {
  await withServer(async ({ app }) => {
    const { status, same, threshold, model } = await compare(
      app,
      [coarseNoise(3000, 1), coarseNoise(3000, 2)],
      {
        model: "mute",
      },
    );
    assert.deepEqual([status, same, threshold, model], [200, null, null, "mute"]);
  }, { models });
});

Deno.test("POST /v1/compare refuses what are not two voices of the model", async () => {
  await withServer(async ({ app }) => {
    const clip = coarseNoise(3000, 1);
    const voice = pooled(clip);
    const cases = [
      [
        [clip],
        {},
        422,
        "input",
        /two recordings, or one and an enrolled voice; got 1 and no voice/,
      ],
      [[clip, clip, clip], {}, 422, "input", /got 3/],
      [[clip, clip], { voice }, 422, "input", /takes one recording, got 2/],
      [[clip], { voice: voice.slice(1) }, 422, "voice", /the 6 numbers of .* tiny, got 5/],
      [[clip], { voice: voice.map(() => 0) }, 422, "voice", /zeros alone/],
      [[clip], { voice: "1,2,x,4,5,6" }, 422, "voice", /numbers/],
      [[clip, coarseNoise(100, 2)], {}, 422, "input[1]", /one frame needs/],
      [[clip, clip], { pool: "max" }, 422, "pool", /unknown option pool/],
    ] as const;
    for (const [files, options, wanted, param, words] of cases) {
      const { status, error } = await compare(app, files, options);
      assert.deepEqual([status, error.param], [wanted, param]);
      assert.match(error.message, words);
    }
  }, { models });
});

Deno.test("POST /v1/embeddings refuses head.speaker, and says where to compare", async () => {
  await withServer(async ({ app }) => {
    const path = "/v1/embeddings?output=head.speaker";
    const response = await app.request(path, { method: "POST", body: wav(coarseNoise(3000, 1)) });
    const { error } = await response.json();
    assert.deepEqual([response.status, error.param], [422, "output"]);
    assert.match(error.message, /use POST \/v1\/compare/);
  }, { models });
});

Deno.test("POST /v1/compare: a wrong key is 401, and too little memory 413", async () => {
  await withServer(async ({ app }) => {
    const body = wav(coarseNoise(3000, 1));
    assert.equal((await app.request("/v1/compare", { method: "POST", body })).status, 401);
  }, { models, flags: ["--api-key", "a-key-of-sixteen"] });
  await withServer(async ({ app }) => {
    const { status, error } = await compare(app, [coarseNoise(3000, 1), coarseNoise(3000, 2)]);
    assert.deepEqual([status, error.code], [413, "too_large"]);
  }, { models, requestMemoryBytes: 4000 });
});

Deno.test("GET /openapi.json declares POST /v1/compare", async () => {
  await withServer(async ({ app }) => {
    const { paths, components } = await (await app.request("/openapi.json")).json();
    const { responses } = paths["/v1/compare"].post;
    assert.deepEqual(responses[200].content["application/json"].schema, {
      $ref: "#/components/schemas/Comparison",
    });
    assert.ok("cosine" in components.schemas.Comparison.properties);
  }, { models });
});
