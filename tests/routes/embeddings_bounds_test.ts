import assert from "node:assert/strict";
import { unzipSync } from "fflate";
import { Hono } from "hono";
import { decodeAll, decoders } from "../../audio/decode.ts";
import { LIMITS } from "../../config/limits.ts";
import { CpcError } from "../../errors.ts";
import { referenceForward } from "../../model/reference.ts";
import { embedClips } from "../../recordings/embed_clips.ts";
import type { Embedded } from "../../recordings/features.ts";
import { jsonAnswer } from "../../recordings/json_answer.ts";
import { checkNpzSize, npzAnswer } from "../../recordings/npy_answer.ts";
import { DecodeBudget } from "../../recordings/decode_budget.ts";
import { MemoryBudget } from "../../recordings/memory_budget.ts";
import { maxDifference } from "../support/golden.ts";
import { TEST_MODELS, type TestServer, wav, withServer } from "../support/server.ts";
import { random } from "../support/stream.ts";
import { forEachClip, openClips } from "../../recordings/clips.ts";
import { readClips } from "../../routes/clip_body.ts";

const [tiny] = TEST_MODELS;
const ROOT = new URL("../fixtures/audio/", import.meta.url);
const JSON_TYPE = { "content-type": "application/json" };

function clip(seconds: number, seed: number): Uint8Array<ArrayBuffer> {
  const next = random(seed);
  return wav(Float32Array.from({ length: seconds * 16_000 }, () => next() - 0.5));
}

const post = (
  app: TestServer["app"],
  body: BodyInit,
  { query = "", headers = {} }: { query?: string; headers?: Record<string, string> } = {},
) => app.request(`/v1/embeddings${query}`, { method: "POST", body, headers });

async function refusal(response: Response): Promise<[number, string, string | undefined]> {
  const { error } = await response.json();
  return [response.status, error.code, error.param];
}

Deno.test("POST /v1/embeddings: FLAC, Opus and MP3 give their decoded features", async () => {
  await withServer(async ({ app }) => {
    for (const name of ["speech.flac", "stereo.opus", "stereo.mp3"]) {
      const bytes = await Deno.readFile(new URL(name, ROOT));
      const { samples } = await decodeAll(bytes);
      const response = await post(app, bytes, {
        headers: { "content-type": "application/octet-stream" },
      });
      assert.equal(response.status, 200, name);
      const [{ context, frames }] = (await response.json()).data;
      const truth = referenceForward(tiny, samples).context;
      assert.equal(frames, truth.frames);
      assert.ok(maxDifference(context.flat(), truth.data) <= 1e-4, name);
    }
    const flac = await Deno.readFile(new URL("speech.flac", ROOT));
    assert.deepEqual(await refusal(await post(app, flac.subarray(0, 5000))), [
      400,
      "invalid_audio",
      "input[0]",
    ]);
  });
});

Deno.test("POST /v1/embeddings: options as JSON members are those of a query", async () => {
  await withServer(async ({ app }) => {
    const file = clip(0.2, 1);
    const input = [file.toBase64()];
    const query =
      await (await post(app, file, { query: "?output=prediction,latent&steps=1,3&pool=mean" }))
        .json();
    for (const steps of ["1,3", [1, 3], ["3", 1]]) {
      const members = {
        input,
        output: ["prediction", "latent"],
        steps,
        pool: "mean",
        format: "json",
      };
      assert.deepEqual(
        await (await post(app, JSON.stringify(members), { headers: JSON_TYPE })).json(),
        query,
      );
    }
    for (const steps of [true, 1.5, [[1]], "", "1,,2", " 1", "0x1", "1e0", null]) {
      const response = await post(app, JSON.stringify({ input, output: "prediction", steps }), {
        headers: JSON_TYPE,
      });
      assert.deepEqual(
        await refusal(response),
        [422, "invalid_option", "steps"],
        JSON.stringify(steps),
      );
    }
    const twice = await post(app, JSON.stringify({ input, pool: "mean" }), {
      query: "?pool=mean&pool=mean",
      headers: JSON_TYPE,
    });
    assert.deepEqual(await refusal(twice), [422, "invalid_option", "pool"]);
  });
});

Deno.test("POST /v1/embeddings refuses bodies that are no recordings", async () => {
  await withServer(async ({ app }) => {
    const file = clip(0.2, 1);
    const text = new FormData();
    text.append("file", "RIFF");
    assert.deepEqual(await refusal(await post(app, text)), [400, "invalid_audio", "input[0]"]);
    const misnamed = new FormData();
    misnamed.append("audio", new Blob([file]), "a.wav");
    assert.deepEqual(await refusal(await post(app, misnamed)), [422, "invalid_option", "audio"]);
    const base64 = file.toBase64();
    for (
      const broken of [
        "",
        "=",
        base64.slice(0, -3),
        `data:audio/wav;base64,${base64}`,
        base64.replaceAll("A", "_"),
      ]
    ) {
      const response = await post(app, JSON.stringify({ input: [base64, broken] }), {
        headers: JSON_TYPE,
      });
      assert.deepEqual(
        await refusal(response),
        [400, "invalid_audio", "input[1]"],
        broken.slice(0, 30),
      );
    }
    for (const members of ["null", "[]", '"x"', '{"input":[1]}', "{}"]) {
      assert.deepEqual(
        (await refusal(await post(app, members, { headers: JSON_TYPE }))).slice(0, 2),
        [400, "invalid_message"],
      );
    }
    for (const headers of [{}, JSON_TYPE]) {
      const body = JSON.stringify({ input: [base64] });
      const packed = await post(app, body, { headers: { ...headers, "content-encoding": "gzip" } });
      assert.deepEqual(await refusal(packed), [415, "unsupported_audio", undefined]);
    }
    const plain = { ...JSON_TYPE, "content-encoding": "identity" };
    const taken = await post(app, JSON.stringify({ input: [base64] }), { headers: plain });
    assert.equal(taken.status, 200);
    await taken.body?.cancel();
    const broken = new ReadableStream({
      start(controller) {
        controller.enqueue(file);
        controller.error(new Error("reset by peer"));
      },
    });
    assert.deepEqual(await refusal(await post(app, broken)), [400, "invalid_message", undefined]);
  });
});

Deno.test("POST /v1/embeddings refuses bodies, batches and answers beyond the limits", async () => {
  await withServer(async ({ app }) => {
    const raw = { "content-length": String(LIMITS.bodyBytes + 1) };
    assert.deepEqual(await refusal(await post(app, "x", { headers: raw })), [
      413,
      "too_large",
      undefined,
    ]);
    const json = { ...JSON_TYPE, "content-length": String(LIMITS.jsonBytes + 1) };
    assert.deepEqual(await refusal(await post(app, "{}", { headers: json })), [
      413,
      "too_large",
      undefined,
    ]);
    const many = JSON.stringify({ input: Array(LIMITS.clips + 1).fill("AAAA") });
    assert.deepEqual(await refusal(await post(app, many, { headers: JSON_TYPE })), [
      413,
      "too_large",
      undefined,
    ]);
  });
  const latent = {
    output: "latent" as const,
    shape: [2 ** 22, 256],
    read: () => ReadableStream.from<Float32Array>([]),
  };
  assert.throws(
    () => checkNpzSize([{ seconds: 1, frames: 1, features: [latent], heads: [] }], "f32"),
    {
      code: "invalid_option",
      param: "format",
    },
  );
});

Deno.test("readClips(): what bodies hold is bounded by what came, and given back", async () => {
  const MIB = 1024 * 1024;
  const budget = new MemoryBudget(4 * MIB);
  const app = new Hono();
  app.post("/", async (c) => {
    const memory = budget.share();
    try {
      const { files } = await readClips(c, { memory, stallMs: 60_000 });
      return c.text(`${files[0].length}`);
    } catch (error) {
      return c.text(error instanceof CpcError ? error.code : String(error), 500);
    } finally {
      memory.giveBack();
    }
  });
  const uploads = [0, 1, 2].map(() => {
    let controller: ReadableStreamDefaultController | undefined;
    const body = new ReadableStream({ start: (given) => void (controller = given) });
    const answer = app.request("/", {
      method: "POST",
      body,
      headers: { "content-length": `${3 * MIB}` },
    });
    return {
      async send(bytes: number) {
        const before = budget.freeBytes;
        controller?.enqueue(new Uint8Array(bytes));
        while (budget.freeBytes > before - bytes) {
          await new Promise((resolve) => setTimeout(resolve));
        }
      },
      overfill: (bytes: number) => controller?.enqueue(new Uint8Array(bytes)),
      end: () => controller?.close(),
      hangUp: () => controller?.error(new Error("gone")),
      answer: async () => (await answer).text(),
    };
  });
  assert.equal(budget.freeBytes, 4 * MIB);
  await uploads[0].send(2 * MIB);
  assert.equal(budget.freeBytes, 2 * MIB);
  uploads[1].overfill(3 * MIB);
  assert.equal(await uploads[1].answer(), "overloaded");
  uploads[2].hangUp();
  assert.equal(await uploads[2].answer(), "invalid_message");
  assert.equal(budget.freeBytes, 2 * MIB);
  await uploads[0].send(MIB);
  uploads[0].end();
  assert.equal(await uploads[0].answer(), `${3 * MIB}`);
  assert.equal(budget.freeBytes, 4 * MIB);
});

Deno.test("openClips() refuses more audio than a request or a key may decode", async () => {
  await withServer(async ({ ctx: { pool } }) => {
    const model = pool.model();
    const amount = (seconds: number) => ({ seconds, samples: 1e12 });
    const budget = new DecodeBudget({ request: amount(3), owner: amount(4) });
    const shares = [..."aab"].map((owner) => budget.share(owner));
    const open = (i: number, seconds: number, options = {}) =>
      openClips([wav(new Float32Array(seconds * 16_000), options)], { model, decoded: shares[i] });
    await open(0, 2);
    await assert.rejects(open(0, 2), { code: "too_large", param: "input[0]" });
    // from a pipe: the header states no length
    await assert.rejects(open(0, 2, { claimed: 0xffff_ffff }), { code: "too_large" });
    await assert.rejects(open(1, 3), { code: "rate_limited" });
    await open(2, 3);
    shares[0].giveBack();
    await open(1, 3);
  });
});

Deno.test("POST /v1/embeddings: a request has a deadline", async () => {
  await withServer(async ({ app, ctx }) => {
    const started = Promise.withResolvers<void>();
    const body = new ReadableStream({ pull: () => started.resolve() }, { highWaterMark: 0 });
    const answer = post(app, body);
    await started.promise;
    assert.deepEqual(await refusal(await answer), [503, "overloaded", undefined]);
    assert.equal(ctx.pool.streams, 0);
  }, { flags: ["--request-timeout", "1"] });
});

Deno.test("POST /v1/embeddings: a client that goes away ends its streams", async () => {
  await withServer(async ({ app, ctx }) => {
    const controller = new AbortController();
    const request = new Request("http://localhost/v1/embeddings?pool=mean", {
      method: "POST",
      body: clip(120, 3),
      signal: controller.signal,
    });
    const answer = app.request(request);
    // until it was decoded
    while (ctx.pool.streams === 0) await new Promise((resolve) => setTimeout(resolve));
    controller.abort();
    await (await answer).body?.cancel();
    assert.equal(ctx.pool.streams, 0);
    assert.doesNotMatch(await ctx.metrics.registry.metrics(), /cpc_errors_total\{/);
  });
});

Deno.test("embedClips() gives the same numbers, kept or computed as read", async () => {
  await withServer(async ({ ctx: { pool } }) => {
    const model = pool.model("tiny");
    const clips = await openClips([clip(1, 4), clip(0.5, 5)], { model });
    const options = {
      model,
      output: ["context", "latent", "prediction"],
      pool: "none",
      steps: [2],
    } as const;
    const kept = await embedClips(pool, clips, {
      ...options,
      output: [...options.output],
      steps: [2],
    });
    const lazy = await embedClips(pool, clips, {
      ...options,
      output: [...options.output],
      steps: [2],
      bufferedBytes: 0,
    });
    assert.equal(pool.streams, 0);
    const text = async (items: Embedded[]) =>
      JSON.parse(
        (await Array.fromAsync(jsonAnswer(items, { model: "tiny", frameRate: 100 }))).join(""),
      );
    const [a, b] = [await text(kept.embedded), await text(lazy.embedded)];
    for (const [i, { context, latent, prediction }] of a.data.entries()) {
      assert.ok(maxDifference(context.flat(), b.data[i].context.flat()) <= 1e-6);
      assert.ok(maxDifference(latent.flat(), b.data[i].latent.flat()) <= 1e-6);
      assert.ok(maxDifference(prediction.flat(2), b.data[i].prediction.flat(2)) <= 1e-6);
    }
    const zip = await new Response(ReadableStream.from(npzAnswer(lazy.embedded, "f32"))).bytes();
    const names = ["context", "latent", "prediction"];
    assert.deepEqual(
      Object.keys(unzipSync(zip)),
      [0, 1].flatMap((i) => names.map((name) => `${i}.${name}.npy`)),
    );
    assert.equal(pool.streams, 0);
  });
});

Deno.test("openClips() and forEachClip() name the bad one and end the others", async () => {
  await withServer(async ({ ctx: { pool } }) => {
    const files = [...Array(20).keys()].map((i) => i === 13 ? new Uint8Array(9) : clip(0.1, i));
    await assert.rejects(openClips(files, { model: pool.model() }), { param: "input[13]" });
  });
  let started = 0;
  const failing = forEachClip([...Array(100).keys()], undefined, async (i, signal) => {
    started++;
    if (i === 3) throw new RangeError("third");
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  await assert.rejects(failing, RangeError);
  assert.equal(started, 8);
  decoders.close();
});
