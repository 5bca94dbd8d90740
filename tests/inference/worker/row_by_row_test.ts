import assert from "node:assert/strict";
import type { Lease, Want } from "../../../inference/messages.ts";
import { StepLoop } from "../../../inference/worker/step_loop.ts";
import { referenceForward } from "../../../model/reference.ts";
import { changedEngine } from "../../support/changed_engine.ts";
import { maxDifference } from "../../support/golden.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";
import { noise } from "../../support/noise.ts";

const weights = randomWeights(tinyConfig, 51, "tiny");
const CONTEXT: Want = { context: true, latent: false, prediction: [], score: [], every: 1 };
const PREDICTION: Want = { ...CONTEXT, context: false, prediction: [1] };
const STREAMS = 4;
/** What an engine of these tests cannot bear. */
const BAD = 0.125;

/**
 * Streams 0 … 3 hear 3000 samples each, in one loop whose engine is a sound one with some changed
 * methods; stream 2 hears {@linkcode BAD} in the middle.
 */
async function hear(
  change: Parameters<typeof changedEngine>[1],
  want: Want,
) {
  const { sound, engine } = await changedEngine(weights, change);
  const rows: number[][] = Array.from({ length: STREAMS }, () => []);
  const failed: string[] = [];
  const retries: string[] = [];
  const loop = new StepLoop(new Map([["tiny", engine]]), {
    reports: {
      step(results, data) {
        for (const { lease, offset, length } of results) {
          rows[lease.index].push(...data.subarray(offset, offset + length));
        }
      },
      reached() {},
      failed: ({ index }, { code, message }) => failed.push(`${index} ${code} ${message}`),
      retried: (reason) => retries.push(reason),
    },
  });
  const signals = Array.from({ length: STREAMS }, (_, i) => noise(3000, i));
  signals[2][1500] = BAD;
  const leases: Lease[] = signals.map((_, index) => ({ index, generation: 1 }));
  for (const lease of leases) {
    loop.handle({
      type: "open",
      lease,
      model: "tiny",
      channels: 1,
      priority: "live",
      want,
      checkpointHops: 0,
    });
    loop.handle({ type: "audio", lease, samples: signals[lease.index] });
    loop.handle({ type: "finish", lease, id: lease.index });
  }
  while (await loop.step());
  await sound.dispose();
  return { rows, failed, retries, truths: signals.map((x) => referenceForward(weights, x)) };
}

Deno.test("StepLoop: a step that fails once is taken again, unnoticed", async () => {
  let calls = 0;
  const { rows, failed, retries, truths } = await hear((sound) => ({
    step(input) {
      if (++calls === 3) throw new Error("a passing fault");
      return sound.step(input);
    },
  }), CONTEXT);
  assert.deepEqual(failed, []);
  assert.deepEqual(retries, ["a passing fault"]);
  for (const [i, { context }] of truths.entries()) {
    assert.equal(rows[i].length, context.data.length);
    assert.ok(maxDifference(rows[i], context.data) <= 1e-4);
  }
});

Deno.test("StepLoop: a stream on which the engine fails, fails alone", async () => {
  const { rows, failed, retries, truths } = await hear((sound) => ({
    step(input) {
      if (input.samples.includes(BAD)) throw new Error("bad number");
      return sound.step(input);
    },
  }), CONTEXT);
  assert.deepEqual(failed, ["2 model_failed the model failed on this step: bad number"]);
  assert.deepEqual(retries, ["bad number"]);
  for (const i of [0, 1, 3]) {
    const { data } = truths[i].context;
    assert.equal(rows[i].length, data.length);
    assert.ok(maxDifference(rows[i], data) <= 1e-4);
  }
});

Deno.test("StepLoop: predictions that fail together are made again row by row", async () => {
  const sound = await hear(() => ({}), PREDICTION);
  let calls = 0;
  let bad: Float32Array | undefined;
  const { rows, failed, retries } = await hear((sound) => ({
    predict(hidden) {
      // the first row of the second step is bad from then on
      if (++calls === 2) bad = hidden.slice(0, tinyConfig.context.hidden);
      const isBad = bad?.every((x, i) => hidden[i] === x);
      if (isBad) throw new Error("bad row");
      return sound.predict(hidden);
    },
  }), PREDICTION);
  assert.equal(failed.length, 1);
  assert.match(failed[0], /model_failed the model failed on this step: bad row/);
  assert.deepEqual(retries, ["bad row"]);
  for (let i = 0; i < STREAMS; i++) {
    if (failed[0].startsWith(`${i} `)) continue;
    assert.equal(rows[i].length, sound.rows[i].length);
    assert.ok(maxDifference(rows[i], sound.rows[i]) <= 1e-4);
  }
});
