import assert from "node:assert/strict";
import { Registry } from "prom-client";
import { ready, startServer } from "../bench/load.ts";
import { writeThinModel } from "../bench/thin_model.ts";
import type { StepTiming } from "../inference/messages.ts";
import { EnginePool } from "../inference/pool.ts";
import { Profile } from "../profile.ts";
import { createEngine } from "../model/engines/create.ts";
import { sharesOf } from "../model/engines/onnx_shares.ts";
import { StepClock } from "../inference/worker/step_clock.ts";
import { withTempFolder } from "./support/corpus.ts";
import { randomWeights, tinyConfig } from "./support/models.ts";

const MODEL = "tiny";

Deno.test("Profile: each part of a step is observed once, with what its frames took", async () => {
  const registry = new Registry();
  const profile = new Profile(registry);
  assert.equal(profile.table(), undefined);
  profile.took("send", 9); // frames of no step
  profile.stepTaken({ model: MODEL, streams: 2, hops: 3, parts: { gather: 1, conv_0: 4 } });
  profile.took("encode", 2);
  profile.took("encode", 1);
  profile.took("send", 2);
  profile.stepTaken({ model: MODEL, streams: 2, hops: 1, parts: { gather: 3, conv_0: 2 } });
  const table = profile.table() ?? "";
  assert.match(table, /^profile: tiny, 2 steps of 4\.0 hops; ms a step$/m);
  assert.match(table, /^gather +2\.000 +3\.000 +26\.7 %$/m);
  assert.match(table, /^conv_0 +3\.000 +4\.000 +40\.0 %$/m);
  assert.match(table, /^encode +1\.500 +3\.000 +20\.0 %$/m);
  assert.match(table, /^send +1\.000 +2\.000 +13\.3 %$/m);
  assert.match(table, /^whole +7\.500$/m);
  assert.equal(profile.table(), undefined, "a table covers what came since the last one");
  const text = await registry.metrics();
  const about = `{model="tiny",part="conv_0"}`;
  assert.ok(text.includes(`cpc_step_part_seconds_sum${about} 0.006`), text);
  assert.ok(text.includes(`cpc_step_part_seconds_count${about} 2`), text);
});

Deno.test("StepClock: a part is the time since the one before; shares are the engine's", () => {
  let nowMs = 10;
  const clock = new StepClock(() => nowMs);
  const after = (ms: number, part: string) => {
    nowMs += ms;
    clock.ended(part);
  };
  after(1, "gather");
  after(8, "engine");
  after(2, "scatter");
  after(4, "heads");
  after(3, "scatter");
  assert.deepEqual(clock.parts(), { gather: 1, engine: 8, scatter: 5, heads: 4 });
  assert.deepEqual(Object.entries(clock.parts({ conv_0: 0.75, recurrence: 0.25 })), [
    ["gather", 1],
    ["conv_0", 6],
    ["recurrence", 2],
    ["scatter", 5],
    ["heads", 4],
  ]);
});

Deno.test("sharesOf() a layer: what the network takes with it less without it", () => {
  assert.deepEqual(sharesOf([1, 4, 5], ["a", "b", "c"]), { a: 0.2, b: 0.6, c: 0.2 });
  const noise = "a longer network that seems faster takes no time, never a negative one";
  assert.deepEqual(sharesOf([2, 1, 4], ["a", "b", "c"]), { a: 0.5, b: 0, c: 0.5 }, noise);
});

Deno.test("OnnxEngine: shares of every layer, only where a profile is wanted", async () => {
  const weights = randomWeights(tinyConfig, 3, MODEL);
  for (const precision of ["fp32", "int8"] as const) {
    const options = { device: "cpu", precision, threads: 1 };
    const plain = await createEngine("onnx", weights, options);
    const profiled = await createEngine("onnx", weights, { ...options, profile: true });
    assert.equal(plain.shares, undefined);
    for (const rows of [1, 3, 64, 1000]) {
      const shares = profiled.shares!(rows);
      const convs = profiled.layout.plan.convs.map((_, i) => `conv_${i}`);
      assert.deepEqual(Object.keys(shares), [...convs, "recurrence"]);
      const sum = Object.values(shares).reduce((a, b) => a + b);
      assert.ok(Math.abs(sum - 1) < 1e-9, `their sum is 1, got ${sum}`);
      assert.ok(Object.values(shares).every((share) => share >= 0));
    }
    await plain.dispose();
    await profiled.dispose();
  }
});

Deno.test("EnginePool: a step tells its parts only with profile, all its time", async () => {
  for (const profile of [false, true]) {
    const steps: StepTiming[] = [];
    const pool = await EnginePool.start({
      models: [randomWeights(tinyConfig, 3, MODEL)],
      engine: "onnx",
      device: "cpu",
      precision: "fp32",
      workers: 1,
      maxStreams: 1,
      profile,
      onStep: (step) => steps.push(step),
    });
    const stream = pool.open({
      model: MODEL,
      want: { context: true, latent: false, prediction: [], score: [], every: 1 },
      priority: "live",
      onFrames: () => {},
      onError: (error) => assert.fail(error),
    });
    stream.push(new Float32Array(16_000));
    await stream.finish();
    stream.release();
    await pool.close();
    assert.ok(steps.length > 0);
    for (const { parts, stepMs } of steps) {
      if (!profile) {
        assert.equal(parts, undefined);
        continue;
      }
      const { post, ...own } = parts!;
      assert.ok(post >= 0);
      assert.ok("gather" in own && "conv_0" in own && "recurrence" in own && "scatter" in own);
      const sum = Object.values(own).reduce((a, b) => a + b);
      assert.ok(sum <= stepMs + 1e-6, `${sum} ms of a step of ${stepMs} ms`);
    }
  }
});

Deno.test("deno task start --profile: parts of steps in /metrics and in a table", async () => {
  await withTempFolder(async (folder) => {
    await writeThinModel(`${folder}/thin`);
    const server = await startServer(["--model", `${folder}/thin`, "--workers", "1", "--profile"]);
    const socket = await ready(server.url, "format=binary");
    const frames = new Promise((resolve) => socket.once("message", resolve));
    socket.send(new Uint8Array(3200));
    await frames;
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const closed = new Promise((resolve) => socket.once("close", resolve));
    const { success, printed } = await server.stop();
    await closed;
    assert.ok(success);
    for (const part of ["gather", "conv_0", "conv_4", "recurrence", "scatter", "post"]) {
      assert.match(printed, new RegExp(`^${part} +\\d`, "m"));
    }
    for (const part of ["encode", "send"]) {
      const [, mean] = new RegExp(`^${part} +([\\d.]+)`, "m").exec(printed) ?? [];
      assert.ok(Number(mean) > 0, `${part} took ${mean} ms`);
    }
    assert.match(text, /^cpc_step_part_seconds_count\{model="thin",part="gather"\} [1-9]/m);
  });
});
