/** The model in a browser: states that are kept, options, weights. */
import assert from "node:assert/strict";
import { maxDifference, readNpy } from "../support/golden.ts";
import { browserTest, saved, says } from "./page_checks.ts";
import { withModels } from "./engine_page.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const SPEECH = `${ROOT}tests/fixtures/speech`;

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
        const length = 40_000;
        globalThis.whole = Float32Array.from({ length }, (_, i) => 0.2 * Math.sin(i * i / 1e6));
        globalThis.rowsOf = async (stream) => {
          const rows = [];
          for await (const { first, context } of stream) {
            context.forEach((row, i) => rows[first + i] = [...row]);
          }
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
        const streams = database.transaction("streams", "readwrite").objectStore("streams");
        const put = streams.put(state, "one");
        await new Promise((resolve, reject) => { put.onsuccess = resolve; put.onerror = reject; });
        const other = await connect({ model, state, output: ["latent"] })
          .catch(({ code, param, message }) => ({ code, param, message }));
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
        for await (const { first, context } of stream) {
          context.forEach((row, i) => rows.push([first + i, ...row]));
        }
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
