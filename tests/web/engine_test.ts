/** The model in a browser: what Chromium computes equals PyTorch's numbers and the server's. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { LocalDevice } from "../../client/mod.ts";
import { featureDifferences, FP32_TOLERANCE } from "../../conformance/check.ts";
import {
  type FeatureCase,
  featureCases,
  fixturePcm,
  maxDifference,
  readNpy,
} from "../support/golden.ts";
import { loadModels } from "../../model/heads/load.ts";
import { TestBrowser } from "./browser.ts";
import { browserTest, saved, says } from "./page_checks.ts";
import { withPages } from "./page_server.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const SPEECH = `${ROOT}tests/fixtures/speech`;

/** Runs a test with a page of a server that has these models. */
async function withModels(
  folders: readonly string[],
  use: (page: Page, url: string) => Promise<void>,
  { webgpu }: { webgpu?: boolean } = {},
): Promise<void> {
  const paths = folders.map((folder) => `${ROOT}${folder}`);
  const flags = paths.flatMap((path) => ["--model", path]);
  await withPages({ flags, models: await loadModels(paths) }, async ({ url }) => {
    const browser = await TestBrowser.start({ webgpu });
    try {
      const { page, faults } = await browser.open(url);
      await use(page, url);
      assert.deepEqual(faults, []);
    } finally {
      await browser.close();
    }
  });
}

/** Samples as a page takes them. */
function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** Largest differences of a golden case, computed in the page, from PyTorch's numbers. */
async function differencesInPage(
  page: Page,
  golden: FeatureCase,
  device: LocalDevice,
): Promise<number> {
  const features = await featuresInPage(page, golden, device);
  const { frames } = features;
  const dims = {
    latent: features.latent.length / frames,
    context: features.context.length / frames,
  };
  const { latent, context } = featureDifferences(golden, { ...features, dims });
  return Math.max(latent, context);
}

/** Latents and contexts of a golden case, computed in the page. */
async function featuresInPage(
  page: Page,
  { model, wav, start, samples }: FeatureCase,
  device: LocalDevice,
): Promise<{ latent: number[]; context: number[]; frames: number }> {
  const pcm = fixturePcm(wav).subarray(2 * start, 2 * (start + samples));
  return await page.evaluate(async ({ model, audio, device }) => {
    const { connect } = await import("/client.js" as string);
    const output = ["context", "latent"];
    const stream = await connect({ model, device, encoding: "s16le", output });
    const bytes = Uint8Array.from(atob(audio), (char) => char.charCodeAt(0));
    for (let at = 0; at < bytes.length; at += 6_421) void stream.send(bytes.slice(at, at + 6_421));
    const { frames } = await stream.finish();
    const rows: { latent: number[]; context: number[] } = { latent: [], context: [] };
    for await (const { latent, context } of stream) {
      for (const row of latent) rows.latent.push(...row);
      for (const row of context) rows.context.push(...row);
    }
    return { ...rows, frames };
  }, { model: `/weights/${model.split("/").at(-1)}/`, audio: base64(pcm), device });
}

/** Of architectures that between them have every operator of our graphs. */
const GOLDEN = [
  "features_cpc_base_italian_short",
  "features_odd_strides_italian_short",
  "features_channel_lstm_synthetic_english",
  "features_residual_everywhere_italian_short",
];

browserTest("engine in Chromium: PyTorch's features, whatever the architecture", async () => {
  const cases = featureCases().filter(({ name }) => GOLDEN.includes(name));
  assert.equal(cases.length, GOLDEN.length);
  const folders = [...new Set(cases.map(({ model }) => model))];
  await withModels(folders, async (page) => {
    for (const golden of cases) {
      const difference = await differencesInPage(page, golden, "wasm");
      assert.ok(difference <= FP32_TOLERANCE, `${golden.name}: ${difference}`);
    }
  });
});

browserTest(
  "engine in Chromium: PyTorch's features by WebGPU, and where there is none it says so",
  async () => {
    const [golden] = featureCases().toSorted((a, b) => a.frames - b.frames); // in software
    assert.ok(golden);
    await withModels([golden.model], async (page) => {
      const difference = await differencesInPage(page, golden, "webgpu");
      assert.ok(difference <= FP32_TOLERANCE, `${difference}`);
    }, { webgpu: true });
    await withModels([golden.model], async (page) => {
      await assert.rejects(
        differencesInPage(page, golden, "webgpu"),
        /no WebGPU, or .* graphics card/,
      );
    });
  },
);

/** Everything of a stream, as the page got it. */
interface Heard {
  readonly rows: Record<"context" | "latent" | "prediction" | "score", number[]>;
  readonly firsts: number[];
  readonly told: Record<string, unknown>[];
}

/**
 * In the page: audio of 48 kHz in messages of 20 ms, with marks, another selection, and a second
 * segment; by the server, or here.
 */
const STREAM = String.raw`async ({ model, samples, where }) => {
  const { connect } = await import("/client.js");
  const options = { sampleRate: 48_000, output: ["context", "score", "head.speech"], steps: [1, 4] };
  const stream = await (where === "here"
    ? connect({ ...options, model: "/weights/" + model + "/" })
    : connect(location.origin, { ...options, model }));
  const told = [];
  stream.on("head", ({ name, first, rows }) => { // how many come together depends on when
    rows.forEach((row, i) => told.push({ name, at: first + i, row }));
  });
  for (const type of ["event", "updated", "reset"]) {
    stream.on(type, (event) => told.push({ type, ...event }));
  }
  const audio = Float32Array.from({ length: samples }, (_, i) =>
    0.3 * Math.sin(i * i / 3e6) * Math.sin(i / 9000) + 0.01 * Math.sin(i * 12.9898) * 43758.5453 % 0.02);
  const send = async (from, to) => {
    for (let at = from; at < to; at += 960) await stream.send(audio.subarray(at, Math.min(at + 960, to)));
  };
  await send(0, samples / 2);
  told.push({ type: "marked", ...await stream.mark("half") });
  await stream.update({ output: ["context", "latent", "prediction", "score"], every: 3, steps: [2, 3, 12] });
  await send(samples / 2, samples);
  await stream.reset();
  await send(0, 48_000);
  const { stats, ...done } = await stream.finish();
  told.push({ ...done });
  const { session, resume, limits, ...ready } = stream.ready;
  told.push(ready);
  const rows = { context: [], latent: [], prediction: [], score: [] };
  const firsts = [];
  for await (const { segment, first, count, every, time, context = [], latent = [], prediction = [], score = [] } of stream) {
    for (let i = 0; i < count; i++) firsts.push(segment, first + i * every, time);
    for (const row of context) rows.context.push(...row);
    for (const row of latent) rows.latent.push(...row);
    for (const row of prediction.flat()) rows.prediction.push(...row);
    for (const row of score) rows.score.push(...(row ? [row.surprise, ...row.nce, ...row.correct] : [-1]));
  }
  return { rows, firsts: firsts.filter((_, i) => i % 3 < 2), told };
}`;

/** Runs it. */
async function stream(page: Page, given: Record<string, unknown>): Promise<Heard> {
  return await page.evaluate(`(${STREAM})(${JSON.stringify(given)})`);
}

/** In the page: streams that send as fast as they may, together. */
const SPEED = String.raw`async ({ model, streams, seconds }) => {
  const { connect } = await import("/client.js");
  const open = () => connect({ model: "/weights/" + model + "/", output: ["context"] });
  const all = await Promise.all(Array.from({ length: streams }, open));
  const noise = Float32Array.from({ length: 16_000 * seconds }, () => Math.random() - 0.5);
  const began = performance.now();
  const done = await Promise.all(all.map(async (stream) => {
    stream.on("frames", () => {});
    for (let at = 0; at < noise.length; at += 1600) await stream.send(noise.subarray(at, at + 1600));
    return await stream.finish();
  }));
  return { ms: performance.now() - began, frames: done.map(({ frames }) => frames) };
}`;

/** Tells how fast it is, as the name of a step. */
async function tellSpeed(page: Page, t: Deno.TestContext): Promise<void> {
  for (const [streams, seconds] of [[1, 3], [8, 1]] as const) {
    const given = JSON.stringify({ model: "cpc-small", streams, seconds });
    const { ms, frames }: { ms: number; frames: number[] } = await page.evaluate(
      `(${SPEED})(${given})`,
    );
    assert.deepEqual(frames, Array(streams).fill(100 * seconds));
    const msOfHop = ms / (100 * seconds * streams);
    const speed = `${msOfHop.toFixed(2)} ms a hop, ${(10 / msOfHop).toFixed(1)} in real time`;
    await t.step(`cpc-small, wasm, ${streams} streams at once: ${speed}`, () => {});
  }
}

/** Numbers of messages, apart from everything else in them. */
function numbersOf(told: readonly unknown[]): { text: string; numbers: number[] } {
  const numbers: number[] = [];
  const text = JSON.stringify(told, (key, value) => {
    if (typeof value !== "number" || key !== "" && !/^\d+$/.test(key)) return value;
    numbers.push(value);
    return 0;
  });
  return { text, numbers };
}

/** Rows of heads, events, or what the client asked for. */
function kindOf({ row, type }: Record<string, unknown>): string {
  return row ? "head" : type === "event" ? "event" : "answer";
}

browserTest("engine in Chromium: frames, scores, heads and answers are a server's", async (t) => {
  await withModels(["weights/cpc-small"], async (page) => {
    const given = { model: "cpc-small", samples: 48_000 * 4 };
    const [here, there] = [
      await stream(page, { ...given, where: "here" }),
      await stream(page, { ...given, where: "server" }),
    ];
    assert.deepEqual(here.firsts, there.firsts);
    assert.ok(here.firsts.length > 400);
    for (const name of ["context", "latent", "prediction", "score"] as const) {
      const difference = maxDifference(here.rows[name], there.rows[name]);
      assert.ok(here.rows[name].length > 100 && difference <= 1e-4, `${name}: ${difference}`);
    }
    // how many rows precede an event depends on when
    for (const kind of ["head", "event", "answer"]) {
      const [ours, theirs] = [here, there].map(({ told }) =>
        numbersOf(told.filter((one) => kindOf(one) === kind))
      );
      assert.ok(ours!.text.length > 2, kind);
      assert.equal(ours!.text, theirs!.text);
      assert.ok(maxDifference(ours!.numbers, theirs!.numbers) <= 1e-4, kind);
    }
    await tellSpeed(page, t);
  });
});

browserTest(
  "engine in Chromium: a stream is a value, options are refused by name, weights are kept",
  async (t) => {
    await withModels(["weights/cpc-small"], async (page, url) => {
      const answers: string[] = [];
      page.on("response", (answer) => {
        const { pathname } = new URL(answer.url());
        if (/safetensors|wasm\.gz/.test(pathname)) answers.push(`${pathname} ${answer.status()}`);
      });
      await t.step(
        "save() and connect({ state }) in another page give the frames of an unbroken stream",
        async () => {
          const saved = await page.evaluate(`(async () => {
        const { connect } = await import("/client.js");
        globalThis.whole = Float32Array.from({ length: 40_000 }, (_, i) => 0.2 * Math.sin(i * i / 1e6));
        globalThis.rowsOf = async (stream) => {
          const rows = [];
          for await (const { first, context } of stream) context.forEach((row, i) => rows[first + i] = [...row]);
          return rows;
        };
        const model = "/weights/cpc-small/";
        const options = { model, output: ["context", "score", "head.speech"], sampleRate: 44_100 };
        const unbroken = await connect(options);
        await unbroken.send(whole);
        await unbroken.finish();
        const expected = await rowsOf(unbroken);
        const before = await connect(options);
        await before.send(whole.subarray(0, 30_001));
        const state = await before.save();
        before.close();
        await Promise.resolve();
        const database = await new Promise((resolve, reject) => {
          const open = indexedDB.open("kept");
          open.onupgradeneeded = () => open.result.createObjectStore("streams");
          open.onsuccess = () => resolve(open.result);
          open.onerror = reject;
        });
        const put = database.transaction("streams", "readwrite").objectStore("streams").put(state, "one");
        await new Promise((resolve, reject) => { put.onsuccess = resolve; put.onerror = reject; });
        const other = await connect({ model, state, output: ["latent"] }).catch(({ code, param, message }) => ({ code, param, message }));
        return { expected, frames: state.frames, other };
      })()`) as { expected: number[][]; frames: number; other: Record<string, string> };
          assert.deepEqual([saved.other.code, saved.other.param], ["invalid_option", "output"]);
          await page.reload();
          const { rows, marked, done } = await page.evaluate(`(async () => {
        const { connect } = await import("/client.js");
        const database = await new Promise((resolve) => {
          const open = indexedDB.open("kept");
          open.onsuccess = () => resolve(open.result);
        });
        const get = database.transaction("streams").objectStore("streams").get("one");
        const state = await new Promise((resolve) => get.onsuccess = () => resolve(get.result));
        const stream = await connect({ model: "/weights/cpc-small/", state });
        const whole = Float32Array.from({ length: 40_000 }, (_, i) => 0.2 * Math.sin(i * i / 1e6));
        await stream.send(whole.subarray(30_001));
        const marked = await stream.mark();
        const done = await stream.finish();
        const rows = [];
        for await (const { first, context } of stream) context.forEach((row, i) => rows.push([first + i, ...row]));
        return { rows, marked, done };
      })()`) as { rows: number[][]; marked: { samples: number }; done: { samples: number } };
          assert.deepEqual([marked.samples, done.samples], [40_000, 40_000]);
          assert.deepEqual(
            rows.map(([first]) => first),
            saved.expected.map((_, i) => i).slice(saved.frames),
          );
          assert.ok(rows.length > 20);
          for (const [first, ...row] of rows) {
            assert.ok(maxDifference(row, saved.expected[first!]!) <= 1e-5);
          }
        },
      );
      await t.step("the second page fetched neither weights nor WebAssembly again", () => {
        assert.deepEqual(answers, [
          "/weights/cpc-small/model.safetensors 200",
          "/assets/engine_wasm.wasm.gz 200",
          "/weights/cpc-small/model.safetensors 304",
          "/assets/engine_wasm.wasm.gz 304",
        ]);
      });
      await t.step("what is not for browsers, or wrong, is refused by name", async () => {
        const refused = await page.evaluate(`(async () => {
        const { connect } = await import("/client.js");
        const model = "/weights/cpc-small/";
        const tried = [
          { model, encoding: "opus" },
          { model, output: ["context", "head.nobody"] },
          { model, steps: [13] },
          { model, sampleRate: 7 },
          { model, state: { version: 1, weights: "other", frames: 0, session: {} } },
          { model: "/weights/nobody/" },
          { model: "http://127.0.0.2:1/weights/cpc-small/" },
        ];
        return await Promise.all(tried.map((options) => connect(options).then(
          () => "opened",
          ({ name, code, message }) => name + " " + code + " " + message,
        )));
      })()`) as string[];
        for (
          const [i, pattern] of [
            /^StreamError invalid_option encoding opus .* servers alone/,
            /^StreamError invalid_option .*no head "nobody"; it has head\.speaker, head\.speech/,
            /^StreamError invalid_option option steps takes 1 to 12/,
            /^StreamError invalid_option option sample_rate/,
            /^StreamError invalid_option option state: .*other weights/,
            /^StreamError model_not_found no model "nobody"; this server has cpc-small/,
            /^StreamError unsupported a page may start workers from its own origin alone/,
          ].entries()
        ) assert.match(refused[i]!, pattern);
      });
      assert.ok(url);
    });
  },
);

browserTest("the page computes here: its vectors are the server's", async () => {
  await withModels(["weights/cpc-small"], async (page, url) => {
    await page.selectOption("#speed", "fast");
    await page.check("#here");
    await page.setInputFiles("#file", `${SPEECH}/russian.wav`);
    await says(page, "status", /Done: .* each in [\d.]+ ms of computing/);
    const [vectors, audio] = [await saved(page, "save-vectors"), await saved(page, "save-audio")];
    const answer = await fetch(`${url}/v1/embeddings`, {
      method: "POST",
      body: audio,
      headers: { accept: "application/x-npy" },
    });
    const expected = readNpy(await answer.bytes());
    const heard = readNpy(vectors);
    assert.deepEqual(heard.shape, expected.shape);
    assert.ok(maxDifference(heard.data as Float32Array, expected.data as Float32Array) <= 1e-4);
  });
});
