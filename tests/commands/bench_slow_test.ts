import assert from "node:assert/strict";
import { benchEmbed } from "../../bench/embed.ts";
import { benchInt8 } from "../../bench/int8.ts";
import { benchProfileCost } from "../../bench/profile_cost.ts";
import { benchScheduler } from "../../bench/scheduler.ts";
import { POLICIES } from "../../bench/scheduler_policies.ts";
import { benchStep } from "../../bench/step.ts";
import { writeThinModel } from "../../bench/thin_model.ts";
import { loadWeights } from "../../model/weights.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";

Deno.test("benchStep() measures both precisions, every shape and denormal samples", async () => {
  const shapes: [number, number][] = [[1, 1], [8, 1], [1, 8]];
  const rows = await benchStep(randomWeights(tinyConfig, 1), { shapes, rounds: 2 });
  assert.deepEqual(rows.map(({ streams, hops }) => [streams, hops]), shapes);
  for (const { fp32, int8, int8Gain, denormals } of rows) {
    for (const { stepMs, liveStreams, shareOfGemm } of [fp32, int8]) {
      assert.ok([stepMs, liveStreams, shareOfGemm].every((x) => x > 0));
    }
    assert.ok(int8Gain > 0 && denormals > 0);
  }
});

Deno.test("benchInt8() finds a little difference at every level", async () => {
  const rows = await benchInt8(await loadWeights("weights/cpc-small"), [0, -40]);
  assert.deepEqual(rows.map(({ decibels }) => decibels), [0, -40]);
  for (const { latent, context, prediction } of rows) {
    for (const difference of [latent, context, prediction]) {
      assert.ok(difference! > 1e-4 && difference! < 0.03, `${difference}`);
    }
  }
});

Deno.test("benchScheduler() measures speakers and others under every policy", async () => {
  const measured = benchScheduler(await loadWeights("weights/cpc-small"), {
    seconds: 0.4,
    rounds: 1,
    crowds: { all: { speakers: 2, floods: 1, uploads: 1, floodWants: "context" } },
  });
  const rows = await Array.fromAsync(measured);
  assert.deepEqual(rows.map(({ policy }) => policy), Object.keys(POLICIES));
  for (const { crowd, p50Ms, p99Ms, floodRate } of rows) {
    assert.equal(crowd, "all");
    assert.ok(p50Ms > 0 && p99Ms >= p50Ms && floodRate > 0);
  }
});

Deno.test("benchEmbed() measures clips and a long file, beside the bare step", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await writeThinModel(`${folder}/thin`);
    const sizes = { clips: 3, clipSeconds: 1, fileSeconds: 2, rounds: 1 };
    const figures = await benchEmbed(`${folder}/thin`, sizes, { workers: 2, roundMs: 50 });
    assert.equal(figures.workers, 2);
    assert.ok(figures.bare > 0 && figures.bareTogether > 0 && figures.startS > 0);
    // so little audio may take less than the start varies
    const { clips, fileOne, fileAll } = figures;
    assert.ok([clips, fileOne, fileAll].every((rate) => rate !== 0 && !Number.isNaN(rate)));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("benchProfileCost() measures a server with --profile and one without", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await writeThinModel(`${folder}/thin`);
    const options = { streams: 2, seconds: 1, rounds: 1 };
    const { plainMs, profiledMs, ratio } = await benchProfileCost(`${folder}/thin`, options);
    assert.ok(plainMs > 0 && profiledMs > 0);
    assert.equal(ratio, profiledMs / plainMs);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
