import assert from "node:assert/strict";
import { bootstrapInterval, meanOverSpeakers } from "../../../evaluation/metrics/intervals.ts";
import { random } from "../../support/stream.ts";

Deno.test("meanOverSpeakers() of independent values covers the mean about as often as 95 %", () => {
  const next = random(3);
  let covered = 0;
  for (let i = 0; i < 100; i++) {
    const values = Array.from({ length: 60 }, () => next() < 0.3 ? 1 : 0);
    const [low, high] = meanOverSpeakers(values, values.map((_, i) => `${i}`)).interval!;
    if (low <= 0.3 && high >= 0.3) covered++;
  }
  assert.ok(covered >= 86, `${covered} of 100`);
});

Deno.test("bootstrapInterval() gives the 2.5 % and 97.5 % points of the resamples", () => {
  const [low, high] = bootstrapInterval(
    400,
    (times) => times.reduce((sum, n, i) => sum + n * (i % 2), 0),
    {
      resamples: 10_000,
    },
  )!;
  const deviation = Math.sqrt(400) / 2; // of 400 tosses of a coin
  assert.ok(Math.abs((200 - low) / deviation - 1.96) < 0.15, `${low}`);
  assert.ok(Math.abs((high - 200) / deviation - 1.96) < 0.15, `${high}`);
});

Deno.test("meanOverSpeakers() is wider where a speaker's values go together", () => {
  const values = Array.from({ length: 200 }, (_, i) => i % 10 < 5 ? 1 : 0);
  const width = (speakers: string[]) => {
    const [low, high] = meanOverSpeakers(values, speakers).interval!;
    return high - low;
  };
  assert.ok(width(values.map((_, i) => `s${i % 10}`)) > 2 * width(values.map((_, i) => `${i}`)));
  assert.deepEqual(meanOverSpeakers([1, 0], ["a", "a"]), {
    value: 0.5,
    interval: undefined,
    count: 2,
    speakers: 1,
  });
});

Deno.test("bootstrapInterval() repeats by its seed, and needs 2 clusters with values", () => {
  const share = (times: Float64Array) => times[0] / 10;
  assert.deepEqual(
    bootstrapInterval(10, share, { seed: 4 }),
    bootstrapInterval(10, share, { seed: 4 }),
  );
  assert.deepEqual(bootstrapInterval(3, (times) => times[0] > 0 ? 7 : NaN), [7, 7]);
  assert.equal(bootstrapInterval(3, () => NaN), undefined);
  assert.equal(bootstrapInterval(1, () => 1), undefined);
});
