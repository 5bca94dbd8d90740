import assert from "node:assert/strict";
import { benchVap, MAAI_SIZES } from "../../bench/vap.ts";
import { maaiMs } from "../../bench/vap_part.ts";
import { benchHeads } from "../../bench/heads.ts";
import { benchScore } from "../../bench/score.ts";
import { benchProfile } from "../../bench/profile.ts";
import { bench } from "../../commands/bench.ts";
import { speakerHead } from "../../model/heads/speaker.ts";
import { fadingHead } from "../support/heads.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";

/** Exit status, and what was written to standard error. */
async function run(...args: string[]): Promise<{ status: number; said: string }> {
  const { error } = console;
  let said = "";
  console.error = (line: string) => said += `${line}\n`;
  try {
    return { status: await bench(args), said };
  } finally {
    console.error = error;
  }
}

Deno.test("deno task bench exits with 2 and one line for what it cannot do", async () => {
  const cases: [string[], RegExp][] = [
    [["--model", "no/such/folder"], /^deno task bench: .*no\/such\/folder.*config\.json.*\n$/],
    [["--only", "nothing"], /^deno task bench: --only takes step, .* or \w+, got "nothing"\n$/],
    [
      ["--seconds", "0"],
      /^deno task bench: --seconds takes a whole number from 1 to 9999, got "0"\n$/,
    ],
  ];
  for (const [args, message] of cases) {
    const { status, said } = await run(...args);
    assert.equal(status, 2);
    assert.match(said, message);
  }
});

Deno.test("benchScore() measures steps of every size of batch, and ends", async () => {
  const rows = await benchScore(randomWeights(tinyConfig, 1), { streams: [1, 3], steps: 12 });
  assert.deepEqual(rows.map(({ streams }) => streams), [1, 3]);
  for (const { contextMs, predictionMs, scoreMs, onTop } of rows) {
    assert.ok([contextMs, predictionMs, scoreMs].every((ms) => ms > 0) && Number.isFinite(onTop));
  }
});

Deno.test("benchHeads() measures a linear head and the model's own, in batches", async () => {
  const weights = randomWeights(tinyConfig, 1);
  const heads = [
    speakerHead({ context: 6, frameRate: 100 }),
    fadingHead({ name: "stereo", channels: 2, dims: 6 }), // left out
  ];
  const rows = await benchHeads({ ...weights, heads }, { streams: [1, 3], steps: 12 });
  assert.deepEqual(rows.map(({ head, streams }) => [head, streams]), [
    ["linear", 1],
    ["linear", 3],
    ["speaker", 1],
    ["speaker", 3],
  ]);
  for (const { stepMs, withHeadMs, onTop, usPerRow } of rows) {
    assert.ok([stepMs, withHeadMs, usPerRow].every((time) => time > 0) && Number.isFinite(onTop));
  }
});

Deno.test("benchVap() measures dialogues of both channels, and ends", async () => {
  const network = {
    ...MAAI_SIZES,
    features: 16,
    width: 8,
    heads: 2,
    inner: 8,
    jointLayers: 1,
  };
  const rows = await benchVap({ dialogues: [1, 3], seconds: 1, windowSeconds: 0.5, network });
  assert.deepEqual(rows.map(({ dialogues }) => dialogues), [1, 3]);
  for (const { busyMs, perCore } of rows) assert.ok(busyMs > 0 && perCore > 0);
});

Deno.test("maaiMs() says why MaAI's loop cannot be timed", async () => {
  assert.match(String(await maaiMs("no-such-python")), /cannot run no-such-python/);
});

Deno.test("benchProfile() measures every part of a step for every number of streams", async () => {
  const weights = randomWeights(tinyConfig, 1);
  const rows = await benchProfile(weights, { streams: [1, 3], steps: 5 });
  assert.deepEqual(rows.map(({ streams }) => streams), [1, 3]);
  for (const { streams: _, ...parts } of rows) {
    for (const [name, ms] of Object.entries(parts)) assert.ok(ms > 0, name);
  }
});
