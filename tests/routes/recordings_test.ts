import assert from "node:assert/strict";
import { OpenAPIHono, z } from "@hono/zod-openapi";
import { LIMITS } from "../../config/limits.ts";
import { DecodeBudget } from "../../recordings/decode_budget.ts";
import { Gate } from "../../recordings/gate.ts";
import { type ClipsRoute, mountClips } from "../../routes/recordings.ts";
import { answerErrors } from "../../routes/refusals.ts";
import { type TestServer, wav, withServer } from "../support/server.ts";

const clip = wav(Float32Array.from({ length: 4000 }, (_, i) => Math.sin(i / 9) / 2));
const schema = z.object({ model: z.string().optional() });
type Compute = ClipsRoute<typeof schema>["compute"];

/** A route of its own, `/clips`, in an application that has nothing else. */
function withRoute(ctx: TestServer["ctx"], compute: Compute) {
  const app = new OpenAPIHono();
  const gate = new Gate({ places: 1, maxWaiting: 1 });
  const amount = { seconds: 10, samples: 1e6 };
  const decoded = new DecodeBudget({ request: amount, owner: amount });
  mountClips(app, ctx, {
    budget: ctx.requestMemory,
    gate,
    decoding: gate,
    scoring: gate,
    decoded,
    route: { path: "/clips", span: "embed", summary: "", schema, answers: {}, compute },
  });
  answerErrors(app, ctx);
  return { app, decoded };
}

Deno.test("mountClips() tells times, and counts what was heard", async () => {
  await withServer(async ({ ctx }) => {
    const counted: unknown[] = [];
    const count = (name: string) => (...args: unknown[]) => void counted.push([name, ...args]);
    Object.assign(ctx.metrics, { decoded: count("decoded"), audioReceived: count("audio") });
    Object.assign(ctx.metrics.usage, { add: count("usage") });
    let nowMs = 10_000;
    const { now } = performance;
    performance.now = () => nowMs;
    try {
      const { app } = withRoute(ctx, () => {
        nowMs += 1000;
        return Promise.resolve({ queueMs: 300, json: { here: true } });
      });
      const body = new ReadableStream({
        pull(controller) {
          nowMs += 2500;
          controller.enqueue(clip);
          controller.close();
        },
      }, { highWaterMark: 0 });
      const answer = await app.request("/clips", { method: "POST", body });
      assert.deepEqual([answer.status, await answer.json()], [200, { here: true }]);
      const timing = answer.headers.get("server-timing")?.split(/,\s*/);
      assert.deepEqual(timing, ["decode;dur=2500.0", "queue;dur=300.0", "model;dur=700.0"]);
    } finally {
      performance.now = now;
    }
    assert.deepEqual(counted, [
      ["decoded", 2.5],
      ["audio", 0.25, ""],
      ["usage", "", "frames", 25],
    ]);
  });
});

Deno.test("mountClips() holds memory until the answer has gone out, and no longer", async () => {
  await withServer(async ({ ctx }) => {
    const errors: string[] = [];
    Object.assign(ctx.log, { error: (message: string) => errors.push(message) });
    const read = (free: number) => free - ctx.requestMemory.freeBytes;
    const free = ctx.requestMemory.freeBytes;
    const pieces = async function* () {
      for (let i = 0; i < 3; i++) yield await Promise.resolve(new Uint8Array(10));
    };
    const mediaType = "text/plain";
    const { app, decoded } = withRoute(
      ctx,
      () => Promise.resolve({ queueMs: 0, mediaType, pieces: pieces(), headers: { "X-Own": "1" } }),
    );
    const answer = await app.request("/clips", { method: "POST", body: clip });
    assert.deepEqual(
      [answer.status, answer.headers.get("content-type"), answer.headers.get("x-own")],
      [200, "text/plain", "1"],
    );
    const reader = answer.body!.getReader();
    await reader.read();
    assert.ok(read(free) >= clip.length, `${read(free)} bytes are held`);
    const most = { seconds: 10, samples: 1 };
    assert.throws(() => decoded.share("").take(most), { code: "rate_limited" });
    for (let left = 2; left > 0; left--) await reader.read();
    assert.equal((await reader.read()).done, true);
    assert.equal(read(free), 0);
    decoded.share("").take(most);
    assert.deepEqual(errors, [], "an answer that is whole leaves no line in the log");
  });
});

Deno.test("mountClips() does nothing for a client that has gone already", async () => {
  await withServer(async ({ ctx }) => {
    let computed = 0;
    const { app } = withRoute(ctx, () => {
      computed++;
      return Promise.resolve({ queueMs: 0, json: {} });
    });
    const signal = AbortSignal.abort();
    const gone = new Request("http://localhost/clips", { method: "POST", body: clip, signal });
    assert.equal((await app.request(gone)).status, 499);
    assert.equal(computed, 0);
    assert.equal(ctx.requestMemory.freeBytes, LIMITS.requestMemoryBytes);
  });
});

Deno.test("mountClips() waits for senders and readers as long as settings say", async () => {
  const waits = new Set<number>();
  const { setTimeout } = globalThis;
  const { now } = performance;
  const flags = ["--slow-reader-timeout", "41", "--request-timeout", "97"];
  await withServer(async ({ app }) => {
    globalThis.setTimeout = ((work: () => void, ms: number) => {
      waits.add(ms);
      return setTimeout(work, ms);
    }) as typeof setTimeout;
    performance.now = () => 1000; // no time passes
    try {
      await (await app.request("/v1/models")).body?.cancel();
      assert.deepEqual(waits.size, 0);
      const answer = await app.request("/v1/score?window=1000", { method: "POST", body: clip });
      assert.equal(answer.status, 200);
      assert.deepEqual([waits.has(97_000), waits.has(41_000)], [true, true]);
      await answer.body?.cancel();
      waits.clear();
      const lines = await app.request("/v1/embeddings?format=ndjson", {
        method: "POST",
        body: clip,
      });
      waits.clear(); // of its body
      const reader = lines.body!.getReader();
      await reader.read();
      assert.ok(waits.has(41_000), [...waits].join());
      await reader.cancel();
    } finally {
      globalThis.setTimeout = setTimeout;
      performance.now = now;
    }
  }, { flags });
});
