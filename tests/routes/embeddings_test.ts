import assert from "node:assert/strict";
import { unzipSync } from "fflate";
import { referenceForward, referencePredictions } from "../../model/reference.ts";
import { offlineFrames } from "../../model/architecture.ts";
import { maxDifference } from "../support/golden.ts";
import { tinyConfig } from "../support/models.ts";
import {
  TEST_MODELS,
  type TestServer,
  wav,
  type WavOptions,
  withServer,
} from "../support/server.ts";
import { coarseNoise } from "../support/noise.ts";

const [tiny] = TEST_MODELS;
const PATH = "/v1/embeddings";

const post = (
  app: TestServer["app"],
  body: BodyInit,
  { query = "", headers = {} }: { query?: string; headers?: Record<string, string> } = {},
) => app.request(PATH + query, { method: "POST", body, headers });
const multipart = (files: Uint8Array<ArrayBuffer>[], fields: Record<string, string> = {}) => {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  for (const file of files) form.append("file", new Blob([file]), "clip.wav");
  return form;
};

async function refused(
  response: Response,
  status: number,
  code: string,
  param?: string,
): Promise<string> {
  const { error } = await response.json();
  assert.deepEqual(
    [response.status, error.code, error.param],
    [status, code, param],
    error.message,
  );
  return error.message;
}

Deno.test("POST /v1/embeddings: every WAV encoding gives the reference's features", async () => {
  await withServer(async ({ app }) => {
    const samples = coarseNoise(2000, 1);
    const truth = referenceForward(tiny, samples);
    const kinds: WavOptions[] = [
      { bits: 8 },
      { bits: 16 },
      { bits: 24 },
      { bits: 32 },
      { tag: 3, bits: 32 },
      { tag: 3, bits: 64 },
      { bits: 16, extensible: true },
      { tag: 3, bits: 32, extensible: true },
      { bits: 16, claimed: 0 },
      { bits: 16, claimed: 0xffffffff },
    ];
    for (const kind of kinds) {
      const response = await post(app, wav(samples, kind), {
        headers: { "content-type": "audio/wav" },
      });
      assert.equal(response.status, 200, JSON.stringify(kind));
      const { object, model, frame_rate, data, usage } = await response.json();
      assert.deepEqual([object, model, frame_rate, data.length], ["list", "tiny", 100, 1]);
      assert.deepEqual([data[0].object, data[0].index, data[0].seconds, data[0].frames], [
        "embedding",
        0,
        0.125,
        truth.context.frames,
      ]);
      assert.equal(usage.audio_seconds, 0.125);
      assert.ok(
        maxDifference(data[0].context.flat(), truth.context.data) <= 1e-4,
        JSON.stringify(kind),
      );
      assert.match(
        response.headers.get("server-timing") ?? "",
        /^decode;dur=[\d.]+,\s*queue;dur=[\d.]+,\s*model;dur=[\d.]+$/,
      );
    }
  });
});

Deno.test("POST /v1/embeddings: channels are averaged, other rates resampled", async () => {
  await withServer(async ({ app }) => {
    const left = coarseNoise(2000, 2);
    const right = coarseNoise(2000, 3);
    const both = Float32Array.from({ length: 4000 }, (_, i) => (i % 2 ? right : left)[i >> 1]);
    const mixed = left.map((x, i) => (x + right[i]) / 2);
    const stereo = await (await post(app, wav(both, { channels: 2 }))).json();
    assert.ok(
      maxDifference(stereo.data[0].context.flat(), referenceForward(tiny, mixed).context.data) <=
        1e-4,
    );
    for (const rate of [8_000, 44_100, 48_000]) {
      const { data } = await (await post(app, wav(coarseNoise(9001, 4), { rate }))).json();
      assert.equal(data[0].frames, offlineFrames(tinyConfig, Math.ceil(9001 * 16_000 / rate)));
      assert.equal(data[0].seconds, 9001 / rate);
    }
  });
});

Deno.test("POST /v1/embeddings: outputs, steps and pools are what the reference says", async () => {
  await withServer(async ({ app }) => {
    const samples = coarseNoise(3000, 5);
    const { latent, context, hidden } = referenceForward(tiny, samples);
    const predictions = referencePredictions(tiny, hidden); // [T, 3 · 8]
    const file = wav(samples);
    const all =
      await (await post(app, file, { query: "?output=prediction,latent,context&steps=3,1" }))
        .json();
    assert.ok(maxDifference(all.data[0].latent.flat(), latent.data) <= 1e-4);
    assert.ok(maxDifference(all.data[0].context.flat(), context.data) <= 1e-4);
    const steps1and3 = [...predictions.data].filter((_, i) => Math.floor(i / 8) % 3 !== 1);
    assert.equal(all.data[0].prediction.length, context.frames);
    assert.equal(all.data[0].prediction[0].length, 2);
    assert.ok(maxDifference(all.data[0].prediction.flat(2), steps1and3) <= 1e-4);

    const column = (c: number) => [...context.data].filter((_, i) => i % 6 === c);
    const pools: Record<string, (values: number[]) => number> = {
      mean: (values) => values.reduce((a, b) => a + b) / values.length,
      max: (values) => Math.max(...values),
      last: (values) => values[values.length - 1],
    };
    for (const [pool, reduce] of Object.entries(pools)) {
      const { data } =
        await (await post(app, multipart([file], { pool, output: "context,prediction" }))).json();
      assert.ok(
        maxDifference(data[0].context, Array.from({ length: 6 }, (_, c) => reduce(column(c)))) <=
          1e-4,
        pool,
      );
      assert.deepEqual([data[0].prediction.length, data[0].prediction[0].length], [3, 8]);
    }
  });
});

Deno.test("POST /v1/embeddings: several files by multipart and JSON, in order", async () => {
  await withServer(async ({ app }) => {
    const clips = [coarseNoise(1000, 6), coarseNoise(4000, 7), coarseNoise(160, 8)];
    const files = clips.map((clip) => wav(clip));
    const truths = clips.map((clip) => referenceForward(tiny, clip).context);
    const check = (data: { index: number; context: number[][] }[]) => {
      assert.deepEqual(data.map(({ index }) => index), [0, 1, 2]);
      data.forEach(({ context }, i) =>
        assert.ok(maxDifference(context.flat(), truths[i].data) <= 1e-4)
      );
    };
    check((await (await post(app, multipart(files))).json()).data);
    const input = files.map((file) => file.toBase64());
    check(
      (await (await post(app, JSON.stringify({ input }), {
        headers: { "content-type": "application/json" },
      })).json()).data,
    );

    const npz = await post(app, multipart(files), { headers: { accept: "application/zip" } });
    assert.equal(npz.headers.get("content-type"), "application/zip");
    const members = unzipSync(new Uint8Array(await npz.arrayBuffer()));
    assert.deepEqual(Object.keys(members), ["0.context.npy", "1.context.npy", "2.context.npy"]);
    const several = await post(app, multipart(files, { format: "npy" }));
    // npy holds one array, npz any number
    assert.equal(several.headers.get("content-type"), "application/zip");
    await several.body?.cancel();
    const npy = await post(app, files[1], {
      headers: { accept: "application/x-npy, application/json;q=0.5" },
    });
    assert.equal(npy.headers.get("content-type"), "application/x-npy");
    const bytes = new Uint8Array(await npy.arrayBuffer());
    // steps of other sizes round differently
    const member = members["1.context.npy"]!;
    const rows = (array: Uint8Array) => new Float32Array(array.slice(128).buffer);
    assert.deepEqual(bytes.subarray(0, 128), member.subarray(0, 128));
    assert.ok(maxDifference(rows(bytes), rows(member)) <= 1e-6);
    assert.match(
      new TextDecoder("latin1").decode(bytes.subarray(0, 128)),
      /^.NUMPY.*'<f4'.*\((\d+), 6\)/s,
    );
    assert.ok(
      maxDifference(
        new Float32Array(bytes.slice(-truths[1].data.length * 4).buffer),
        truths[1].data,
      ) <= 1e-4,
    );
  });
});

Deno.test("POST /v1/embeddings refuses bad audio by status, code and place", async () => {
  await withServer(async ({ app }) => {
    const good = wav(coarseNoise(1000, 9));
    const cases: [Uint8Array<ArrayBuffer>, number, string, RegExp][] = [
      [new Uint8Array(0), 400, "invalid_audio", /empty/],
      [good.subarray(0, 7), 400, "invalid_audio", /truncated/],
      [good.subarray(0, 30), 400, "invalid_audio", /truncated/],
      [good.subarray(0, 900), 400, "invalid_audio", /856 bytes into the 2000/],
      [wav([]), 400, "invalid_audio", /no samples/],
      [wav([0.5, NaN, 0.1], { tag: 3, bits: 32 }), 400, "invalid_audio", /sample 1 is NaN/],
      [wav([0.5, Infinity], { tag: 3, bits: 64 }), 400, "invalid_audio", /sample 1/],
      [wav(coarseNoise(100, 1), { channels: 0 }), 400, "invalid_audio", /zero channels/],
      [wav(coarseNoise(100, 1), { rate: 0 }), 400, "invalid_audio", /sample rate/],
      [new TextEncoder().encode("%PDF-1.7 and so on"), 415, "unsupported_audio", /25 50 44 46/],
      [
        wav(coarseNoise(158, 1)),
        422,
        "audio_too_short",
        /158 samples at 16 kHz; one frame needs 159/,
      ],
    ];
    for (const [body, status, code, message] of cases) {
      const why = await refused(await post(app, body), status, code, "input[0]");
      assert.match(why, message);
    }
    const second = await post(app, multipart([good, good.subarray(0, 99).slice()]));
    await refused(second, 400, "invalid_audio", "input[1]");
    const base64 = await post(app, JSON.stringify({ input: [good.toBase64(), "***"] }), {
      headers: { "content-type": "application/json" },
    });
    await refused(base64, 400, "invalid_audio", "input[1]");
  });
});

Deno.test("POST /v1/embeddings refuses bad options by name", async () => {
  await withServer(async ({ app }) => {
    const file = wav(coarseNoise(1000, 9));
    for (
      const [query, param] of [
        ["pool=median", "pool"],
        ["output=context,score", "output"],
        ["output=context,context", "output"],
        ["steps=0", "steps"],
        ["steps=4", "steps"],
        ["steps=x", "steps"],
        ["format=xml", "format"],
        ["colour=red", "colour"],
        ["pool=mean&pool=max", "pool"],
        ["model=mute&output=prediction", "output"],
      ]
    ) await refused(await post(app, file, { query: `?${query}` }), 422, "invalid_option", param);
    const unknown = await refused(
      await post(app, file, { query: "?model=other" }),
      404,
      "model_not_found",
      "model",
    );
    assert.match(unknown, /tiny, mute/);
    await refused(
      await post(app, "{", { headers: { "content-type": "application/json" } }),
      400,
      "invalid_message",
    );
    await refused(
      await post(app, '{"input":[]}', { headers: { "content-type": "application/json" } }),
      400,
      "invalid_message",
      "input",
    );
    await refused(await post(app, multipart([])), 400, "invalid_message", "file");
    const form = new Request("http://x", {
      method: "POST",
      body: multipart([file, file], { pool: "mean" }),
    });
    const [type, body] = [
      form.headers.get("content-type")!,
      new Uint8Array(await form.arrayBuffer()),
    ];
    // of the last line, of the last part, of the second
    for (const missing of [4, 5, 100, body.length - 3000]) {
      const cut = await post(app, body.subarray(0, body.length - missing), {
        headers: { "content-type": type },
      });
      await refused(cut, 400, "invalid_message");
    }
    await refused(
      await post(app, "garbage", {
        headers: { "content-type": "multipart/form-data; boundary=x" },
      }),
      400,
      "invalid_message",
    );
  });
});

Deno.test("POST /v1/embeddings: a request at a time and many at once give the same", async () => {
  await withServer(async ({ app }) => {
    const clips = Array.from({ length: 12 }, (_, i) => coarseNoise(500 + 333 * i, i));
    const answers = await Promise.all(
      clips.map(async (clip) => (await (await post(app, wav(clip))).json()).data[0].context.flat()),
    );
    answers.forEach((context, i) =>
      assert.ok(maxDifference(context, referenceForward(tiny, clips[i]).context.data) <= 1e-4)
    );
  });
});
