import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { referenceForward } from "../../model/reference.ts";
import { readSafetensors, safetensorsMetadata } from "../../model/safetensors.ts";
import { maxDifference } from "../support/golden.ts";
import { TEST_MODELS, type TestServer, wav, withServer } from "../support/server.ts";
import { coarseNoise } from "../support/noise.ts";

const [tiny] = TEST_MODELS;

const post = (
  app: TestServer["app"],
  body: BodyInit,
  { path = "/v1/embeddings", ...init }: RequestInit & { path?: string } = {},
) => app.request(path, { method: "POST", body, ...init });
const json = (members: object): [string, RequestInit] => [
  JSON.stringify(members),
  { headers: { "content-type": "application/json" } },
];
const refusal = async (response: Response) => {
  const { error: { code, param } } = await response.json();
  return [response.status, code, param];
};
const linesOf = async (response: Response) => {
  const text = await response.text();
  assert.ok(text.endsWith("\n"));
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
};

Deno.test("POST /v1/embeddings: pooled results have embedding: context, or latent", async () => {
  await withServer(async ({ app }) => {
    const file = wav(coarseNoise(3000, 1));
    for (
      const [output, vector] of [
        ["context", "context"],
        ["latent", "latent"],
        ["latent,context", "context"],
        ["prediction", undefined],
      ]
    ) {
      const path = `/v1/embeddings?pool=mean&output=${output}`;
      const { data: [item] } = await (await post(app, file, { path })).json();
      assert.deepEqual(item.embedding, vector && item[vector], String(output));
    }
    const { data: [rows] } = await (await post(app, file)).json();
    assert.equal("embedding" in rows, false);
  });
});

Deno.test("POST /v1/embeddings: a request by OpenAI's API gives one vector", async () => {
  await withServer(async ({ app }) => {
    const samples = coarseNoise(3000, 2);
    const input = wav(samples).toBase64();
    const { context: { data, width, frames } } = referenceForward(tiny!, samples);
    const mean = Array.from(
      { length: width },
      (_, c) => data.filter((_, i) => i % width === c).reduce((a, b) => a + b) / frames,
    );
    for (const path of ["/v1/embeddings", "/v1/audio/embeddings"]) {
      for (const one of [input, [input]]) {
        const [body, init] = json({ model: "tiny", input: one, encoding_format: "base64" });
        const { data: [item] } = await (await post(app, body, { path, ...init })).json();
        const bytes = Uint8Array.fromBase64(item.embedding);
        assert.deepEqual([...new Float32Array(bytes.buffer)], item.context.map(Math.fround));
        assert.ok(maxDifference(item.context, mean) <= 1e-4);
      }
    }
    const [body, init] = json({ input, encoding_format: "float", pool: "last" });
    const { data: [item] } = await (await post(app, body, init)).json();
    assert.deepEqual(item.embedding, item.context);
    assert.ok(maxDifference(item.context, data.slice(-width)) <= 1e-4);
    for (
      const options of [{ pool: "none" }, { output: "prediction" }, { format: "npy" }, { split: 1 }]
    ) {
      const stereo = wav(samples, { channels: 2 }).toBase64();
      const [body, init] = json({ input: stereo, encoding_format: "float", ...options });
      assert.deepEqual(
        await refusal(await post(app, body, init)),
        [422, "invalid_option", "encoding_format"],
        JSON.stringify(options),
      );
    }
  });
});

Deno.test("POST /v1/embeddings: input is one string or a list, once", async () => {
  await withServer(async ({ app }) => {
    const input = wav(coarseNoise(1000, 3)).toBase64();
    const status = async (text: string) => {
      const response = await post(app, text, { headers: { "content-type": "application/json" } });
      await response.body?.cancel();
      return response.status;
    };
    assert.equal(await status(`{"pool":"mean","input" : "${input}","model":"tiny"}`), 200);
    for (
      const text of [
        `{"input":"${input}","input":"${input}"}`,
        `{"input":["${input}"],"input":"${input}"}`,
        `{"input":"${input}"`,
        `{"input":"${input}" "model":"tiny"}`,
        `{"input":7}`,
        `{"input":{"a":"${input}"}}`,
      ]
    ) assert.equal(await status(text), 400, text.replaceAll(input, "…"));
  });
});

Deno.test("POST /v1/embeddings: an option of the body counts before the query's", async () => {
  await withServer(async ({ app }) => {
    const [body, init] = json({ input: wav(coarseNoise(1000, 4)).toBase64(), pool: "none" });
    const path = "/v1/embeddings?pool=mean&output=latent";
    const { data: [item] } = await (await post(app, body, { path, ...init })).json();
    assert.deepEqual([item.latent.length, item.latent[0].length], [item.frames, 8]);
  });
});

Deno.test("POST /v1/embeddings: safetensors and 16 bits hold the numbers of json", async () => {
  await withServer(async ({ app }) => {
    const form = new FormData();
    const clips = [coarseNoise(1000, 5), coarseNoise(2500, 6)];
    for (const clip of clips) form.append("file", new Blob([wav(clip)]), "clip.wav");
    const ask = async (query: string) => {
      const response = await post(app, form, {
        path: `/v1/embeddings?output=context,latent${query}`,
      });
      assert.equal(response.status, 200, query);
      return response;
    };
    const { data } = await (await ask("")).json();
    for (const [dtype, tolerance] of [["f32", 1e-6], ["f16", 2e-3]] as const) {
      const response = await ask(`&format=safetensors&dtype=${dtype}`);
      assert.equal(response.headers.get("content-type"), "application/vnd.safetensors");
      const bytes = new Uint8Array(await response.arrayBuffer());
      const tensors = readSafetensors(bytes);
      assert.deepEqual([...tensors.keys()], ["0.context", "0.latent", "1.context", "1.latent"]);
      for (const [index, item] of data.entries()) {
        for (const output of ["context", "latent"]) {
          const { shape, data } = tensors.get(`${index}.${output}`)!;
          assert.deepEqual(shape, [item.frames, item[output][0].length]);
          assert.ok(maxDifference(data, item[output].flat()) <= tolerance);
        }
      }
      assert.deepEqual(safetensorsMetadata(bytes, "x"), { model: "tiny", frame_rate: "100" });
    }
    const two = await post(app, wav(clips[0]!), {
      path: "/v1/embeddings?output=context,latent",
      headers: { accept: "application/x-npy" },
    });
    assert.equal(two.headers.get("content-type"), "application/zip", "npy holds one array");
    await two.body?.cancel();
    const npy = await post(app, wav(clips[0]!), {
      path: "/v1/embeddings?format=npy&dtype=f16&pool=mean",
    });
    const bytes = new Uint8Array(await npy.arrayBuffer());
    assert.match(new TextDecoder("latin1").decode(bytes), /'<f2'.*\(6,\)/);
    assert.equal(bytes.length, 128 + 2 * 6);
    for (const format of ["json", "ndjson"]) {
      const path = `/v1/embeddings?format=${format}&dtype=f16`;
      const refused = await refusal(await post(app, wav(clips[0]!), { path }));
      assert.deepEqual(refused, [422, "invalid_option", "dtype"]);
    }
  });
});

Deno.test("POST /v1/embeddings as NDJSON: start, every frame in order, done", async () => {
  await withServer(async ({ app }) => {
    const form = new FormData();
    const clips = [coarseNoise(40_000, 7), coarseNoise(700, 8)];
    for (const clip of clips) form.append("file", new Blob([wav(clip)]), "clip.wav");
    const path = "/v1/embeddings?output=context,prediction&steps=1,3";
    const { data, usage } = await (await post(app, form, { path })).json();
    const response = await post(app, form, { path, headers: { accept: "application/x-ndjson" } });
    assert.equal(response.headers.get("content-type"), "application/x-ndjson");
    assert.match(response.headers.get("server-timing") ?? "", /queue;dur=0\.0,/);
    const [start, ...lines] = await linesOf(response);
    const done = lines.pop();
    assert.deepEqual([start.object, start.model, start.frame_rate], ["start", "tiny", 100]);
    const own = (item: object, names: string[]) =>
      Object.fromEntries(Object.entries(item).filter(([name]) => names.includes(name)));
    const known = ["index", "seconds", "frames"];
    assert.deepEqual(start.data, data.map((item: object) => own(item, known)));
    assert.deepEqual(done, { object: "done", usage });
    assert.ok(lines.length > 2, "a long recording takes several lines");
    for (const [index, item] of data.entries()) {
      const own = lines.filter((line) => line.index === index);
      let next = 0;
      for (const { object, first, count, time, context } of own) {
        assert.deepEqual([object, first, context.length], ["frames", next, count]);
        assert.equal(time, first / 100);
        next += count;
      }
      assert.equal(next, item.frames);
      for (const output of ["context", "prediction"]) {
        const rows = own.flatMap((line) => line[output]);
        assert.ok(maxDifference(rows.flat(2), item[output].flat(2)) <= 1e-5);
        assert.equal(rows[0].length, item[output][0].length);
      }
    }
  });
});

Deno.test("POST /v1/embeddings as NDJSON: pooled, and split by channel", async () => {
  await withServer(async ({ app }) => {
    const stereo = wav(coarseNoise(4000, 9), { channels: 2 });
    const ask = async (query: string) =>
      await (await post(app, stereo, { path: `/v1/embeddings?${query}` })).json();
    const lines = async (query: string) =>
      await linesOf(await post(app, stereo, { path: `/v1/embeddings?format=ndjson&${query}` }));
    const { data: [pooled] } = await ask("pool=max");
    assert.deepEqual((await lines("pool=max"))[1], pooled);
    const { data: [split] } = await ask("split=1");
    const frames = (await lines("split=1")).slice(1, -1);
    const rows = frames.flatMap(({ context }) => context);
    assert.deepEqual([rows.length, rows[0].length], [split.frames, 2]);
    assert.ok(maxDifference(rows.flat(2), split.context.flat(2)) <= 1e-5);
  });
});

Deno.test("POST /v1/embeddings as NDJSON: computed as read, ended with its reader", async () => {
  await withServer(async ({ app, ctx }) => {
    const response = await post(app, wav(coarseNoise(1_600_000, 10)), {
      path: "/v1/embeddings?format=ndjson&output=prediction", // nothing that all workers share
    });
    const reader = response.body!.getReader();
    for (let i = 0; i < 3; i++) assert.equal((await reader.read()).done, false);
    assert.equal(ctx.pool.streams, 1);
    await reader.cancel();
    for (let i = 0; i < 1000 && ctx.pool.streams > 0; i++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(ctx.pool.streams, 0);
  });
});

Deno.test("POST /v1/embeddings as NDJSON: a failure is the last line", async () => {
  await withServer(async ({ app, ctx }) => {
    const { open } = ctx.pool;
    ctx.pool.open = () => {
      throw new RangeError("no such thing");
    };
    const response = await post(app, wav(coarseNoise(3000, 11)), {
      path: "/v1/embeddings?format=ndjson",
    });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    assert.match((await reader.read()).value ?? "", /^{"object":"start"/);
    assert.match((await reader.read()).value ?? "", /^{"error":{"code":"internal","message":"/);
    await assert.rejects(reader.read());
    ctx.pool.open = open;
  });
});
