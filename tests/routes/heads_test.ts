import assert from "node:assert/strict";
import { unzipSync } from "fflate";
import { referenceForward } from "../../model/reference.ts";
import { maxDifference } from "../support/golden.ts";
import { fadingHead, type FadingRow, fadingRows } from "../support/heads.ts";
import { TEST_MODELS, wav, withServer } from "../support/server.ts";
import { coarseNoise } from "../support/noise.ts";

const [tiny] = TEST_MODELS;
const PATH = "/v1/embeddings";
const EVERY = 3;
const { latent: Z, context: C } = { latent: 8, context: 6 };
const EVENT = { event: "loud", output: "loud", on: 0.5, off: 0.4 };
const models = [{
  ...tiny,
  heads: [
    fadingHead({
      name: "fading",
      input: "latent",
      every: EVERY,
      dims: Z,
      spec: { events: [EVENT] },
    }),
    fadingHead({ name: "turns", channels: 2, every: 1, dims: C }),
  ],
}];

function rowsOf(samples: Float32Array): FadingRow[] {
  const { latent } = referenceForward(tiny, samples);
  return fadingRows([latent.data], { every: EVERY, dims: Z });
}

Deno.test("POST /v1/embeddings: a head's rows beside vectors, as JSON and npz", async () => {
  await withServer(async ({ app }) => {
    const clips = [coarseNoise(4000, 1), coarseNoise(2500, 2)];
    const form = new FormData();
    for (const clip of clips) form.append("file", new Blob([wav(clip)]), "clip.wav");
    const answer = await app.request(`${PATH}?output=head.fading,context`, {
      method: "POST",
      body: form,
    });
    const { data } = await answer.json();
    for (const [i, clip] of clips.entries()) {
      const { context, "head.fading": { rate, rows } } = data[i];
      assert.equal(context.length, data[i].frames);
      assert.equal(rate, 100 / EVERY);
      const expected = rowsOf(clip);
      assert.equal(rows.length, expected.length);
      for (const [r, { level, loud }] of rows.entries()) {
        assert.deepEqual([level.length, level[0].length, loud.length], [1, Z, 1]);
        assert.ok(maxDifference(level.flat(), expected[r].level as number[]) <= 1e-3);
        assert.ok(Math.abs(loud[0] - expected[r].loud) <= 1e-3);
      }
    }
    const npz = await app.request(`${PATH}?output=head.fading&format=npy`, {
      method: "POST",
      body: wav(clips[0]),
    });
    const members = unzipSync(new Uint8Array(await npz.arrayBuffer()));
    assert.deepEqual(Object.keys(members), ["0.head.fading.level.npy", "0.head.fading.loud.npy"]);
    const expected = rowsOf(clips[0]);
    const [level, loud] = Object.values(members).map((bytes) => {
      const header = new TextDecoder().decode(bytes.subarray(10, 128));
      return { header, data: new Float32Array(bytes.slice(128).buffer) };
    });
    assert.match(level.header, new RegExp(`\\(${expected.length}, 1, ${Z}\\)`));
    assert.match(loud.header, new RegExp(`\\(${expected.length}, 1\\)`));
    assert.ok(maxDifference(level.data, expected.flatMap(({ level }) => level)) <= 1e-3);
    assert.ok(maxDifference(loud.data, expected.map(({ loud }) => loud)) <= 1e-3);
  }, { models });
});

Deno.test("POST /v1/embeddings: a head of two channels hears both with split=1", async () => {
  await withServer(async ({ app }) => {
    const signals = [coarseNoise(4000, 4), coarseNoise(4000, 5)];
    const both = Float32Array.from({ length: 8000 }, (_, i) => signals[i % 2][i >> 1]);
    const post = async (query: string, file: Uint8Array<ArrayBuffer>) => {
      const response = await app.request(`${PATH}?${query}`, { method: "POST", body: file });
      return { status: response.status, ...await response.json() };
    };
    const query = "output=head.turns,context&split=1";
    const { data: [{ frames, context, "head.turns": { rate, rows } }] } = await post(
      query,
      wav(both, { channels: 2 }),
    );
    const contexts = signals.map((signal) => referenceForward(tiny, signal).context.data);
    const expected = fadingRows(contexts, { every: 1, dims: C });
    assert.deepEqual([rate, rows.length, context.length], [100, frames, frames]);
    assert.equal(rows.length, expected.length);
    for (const [r, { level, loud }] of rows.entries()) {
      assert.ok(maxDifference(level.flat(), expected[r].level as number[]) <= 1e-3);
      assert.ok(Math.abs(loud[0] - expected[r].loud) <= 1e-3);
    }
    const three = wav(coarseNoise(6000, 6), { channels: 3 });
    for (
      const [query, file, param, words] of [
        ["output=head.turns&split=1", three, "input[0]", /head turns hears 2 channels.* has 3/],
        ["output=head.fading&split=1", three, "split", /head fading hears one channel/],
      ] as const
    ) {
      const { status, error } = await post(query, file);
      assert.deepEqual([status, error.param], [422, param]);
      assert.match(error.message, words);
    }
  }, { models });
});

Deno.test("POST /v1/embeddings: heads that are unknown or cannot hear are 422", async () => {
  await withServer(async ({ app }) => {
    const cases = [
      ["output=head.none", "output", /no head "none"; it has head\.fading, head\.turns/],
      [
        "output=head.turns",
        "output",
        /hears 2 channels: send recordings of two channels, with split=1/,
      ],
      ["output=head.fading&pool=mean", "pool", /a head gives rows/],
      ["output=score", "output", /takes context, latent, prediction and head\.NAME/],
    ] as const;
    for (const [query, param, words] of cases) {
      const response = await app.request(`${PATH}?${query}`, {
        method: "POST",
        body: wav(coarseNoise(2000, 3)),
      });
      const { error } = await response.json();
      assert.deepEqual([response.status, error.param], [422, param]);
      assert.match(error.message, words);
    }
  }, { models });
});

Deno.test("GET /v1/models lists heads with their outputs, labels and rates", async () => {
  await withServer(async ({ app, ctx }) => {
    const { data: [model] } = await (await app.request("/v1/models")).json();
    assert.deepEqual(model.heads.map(({ name }: { name: string }) => name), ["fading", "turns"]);
    const { row_us: rowUs, ...head } = model.heads[0];
    const measured = 1e6 * ctx.pool.secondsPerRow(model.id).fading!;
    assert.ok(Math.abs(rowUs / measured - 1) < 0.01);
    assert.deepEqual(head, {
      name: "fading",
      input: "latent",
      channels: 1,
      every: EVERY,
      rate: 100 / EVERY,
      outputs: [{ name: "level", shape: [1, Z] }, { name: "loud", shape: [1], labels: ["loud"] }],
      events: ["loud"],
      state_bytes: 4 * Z,
    });
  }, { models });
});

Deno.test("GET /metrics counts a head's rows and its time", async () => {
  await withServer(async ({ app }) => {
    const path = `${PATH}?output=head.fading`;
    const answer = await app.request(path, { method: "POST", body: wav(coarseNoise(4000, 9)) });
    const { data: [{ "head.fading": { rows } }] } = await answer.json();
    const text = await (await app.request("/metrics")).text();
    const valueOf = (name: string) =>
      Number(new RegExp(`^${name}\\{head="fading"\\} (\\S+)$`, "m").exec(text)?.[1]);
    assert.equal(valueOf("cpc_head_rows_total"), rows.length);
    assert.ok(valueOf("cpc_head_seconds_total") > 0);
    assert.ok(!text.includes('head="turns"'), "a head that nobody asked for took nothing");
  }, { models });
});
