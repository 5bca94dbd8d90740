/** The model in a browser: what Chromium computes equals a server's. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { maxDifference } from "../support/golden.ts";
import { browserTest } from "./page_checks.ts";
import { withModels } from "./engine_page.ts";

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
  const output = ["context", "score", "head.speech"];
  const options = { sampleRate: 48_000, output, steps: [1, 4] };
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
    0.3 * Math.sin(i * i / 3e6) * Math.sin(i / 9000) +
    0.01 * Math.sin(i * 12.9898) * 43758.5453 % 0.02);
  const send = async (from, to) => {
    for (let at = from; at < to; at += 960) {
      await stream.send(audio.subarray(at, Math.min(at + 960, to)));
    }
  };
  await send(0, samples / 2);
  told.push({ type: "marked", ...await stream.mark("half") });
  const all = ["context", "latent", "prediction", "score"];
  await stream.update({ output: all, every: 3, steps: [2, 3, 12] });
  await send(samples / 2, samples);
  await stream.reset();
  await send(0, 48_000);
  const { stats, ...done } = await stream.finish();
  told.push({ ...done });
  const { session, resume, limits, ...ready } = stream.ready;
  told.push(ready);
  const rows = { context: [], latent: [], prediction: [], score: [] };
  const firsts = [];
  for await (const { segment, first, count, every, time, ...vectors } of stream) {
    const { context = [], latent = [], prediction = [], score = [] } = vectors;
    for (let i = 0; i < count; i++) firsts.push(segment, first + i * every, time);
    for (const row of context) rows.context.push(...row);
    for (const row of latent) rows.latent.push(...row);
    for (const row of prediction.flat()) rows.prediction.push(...row);
    for (const row of score) {
      rows.score.push(...(row ? [row.surprise, ...row.nce, ...row.correct] : [-1]));
    }
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
    for (let at = 0; at < noise.length; at += 1600) {
      await stream.send(noise.subarray(at, at + 1600));
    }
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
