import assert from "node:assert/strict";
import { identify } from "../../../evaluation/metrics/identification.ts";
import {
  allPairs,
  detCurve,
  equalErrorRate,
  verify,
} from "../../../evaluation/metrics/verification.ts";
import { random } from "../../support/stream.ts";

/** `count` vectors of each speaker: their own direction and noise of a size. */
function voices({ speakers, count, noise }: { speakers: number; count: number; noise: number }) {
  const next = random(5);
  const vectors: Float32Array[] = [];
  const names: string[] = [];
  for (let i = 0; i < speakers * count; i++) {
    vectors.push(
      Float32Array.from(
        { length: speakers },
        (_, j) => (j === i % speakers ? 1 : 0) + noise * (next() - 0.5),
      ),
    );
    names.push(`s${i % speakers}`);
  }
  return { vectors, names };
}

Deno.test("verify() of speakers that lie apart is 0, of one point 50 %", () => {
  const apart = voices({ speakers: 6, count: 4, noise: 0.1 });
  const { value, interval, count, speakers } = verify(allPairs(apart.vectors, apart.names));
  assert.deepEqual({ value, interval, count, speakers }, {
    value: 0,
    interval: [0, 0],
    count: 24 * 23 / 2,
    speakers: 6,
  });
  const same = apart.vectors.map(() => Float32Array.of(1, 2));
  assert.equal(equalErrorRate(allPairs(same, apart.names)), 0.5);
});

Deno.test("equalErrorRate() of vectors that say nothing of the speaker is near 50 %", () => {
  const next = random(9);
  const vectors = Array.from(
    { length: 120 },
    () => Float32Array.from({ length: 8 }, () => next() - 0.5),
  );
  const rate = equalErrorRate(allPairs(vectors, vectors.map((_, i) => `s${i % 10}`)));
  assert.ok(Math.abs(rate - 0.5) < 0.05, `${rate}`);
});

Deno.test("equalErrorRate() lies between thresholds, and weighs speakers as told", () => {
  // best first: same, other, same, other
  const trials = {
    scores: Float64Array.of(4, 3, 2, 1),
    left: Int32Array.of(0, 0, 1, 0),
    right: Int32Array.of(0, 1, 1, 1),
    speakers: 2,
  };
  assert.equal(equalErrorRate(trials), 0.5);
  // misses: 1 → ¼, alarms 0 → ½
  assert.equal(equalErrorRate(trials, Float64Array.of(3, 1)), 0.25 / (0.25 + 0.25) * 0.5);
  assert.equal(equalErrorRate(trials, Float64Array.of(2, 0)), NaN); // no pair of two speakers
});

Deno.test("allPairs() does not ask for the length of vectors, nor the order of utterances", () => {
  const { vectors, names } = voices({ speakers: 5, count: 5, noise: 2.5 });
  const rate = equalErrorRate(allPairs(vectors, names));
  assert.ok(rate > 0.02 && rate < 0.5);
  const scaled = vectors.map((vector, i) => vector.map((x) => x * 2 ** (i % 4)));
  assert.equal(equalErrorRate(allPairs(scaled.toReversed(), names.toReversed())), rate);
});

Deno.test("detCurve() falls from all misses to all false alarms", () => {
  const { vectors, names } = voices({ speakers: 5, count: 8, noise: 3 });
  const curve = detCurve(allPairs(vectors, names));
  assert.deepEqual(curve[0], [0, 1]);
  assert.deepEqual(curve[curve.length - 1][1], 0);
  for (const [i, [alarms, misses]] of curve.entries()) {
    if (i > 0) assert.ok(alarms >= curve[i - 1][0] && misses <= curve[i - 1][1]);
  }
});

Deno.test("identify() finds speakers that lie apart, and guesses where none do", () => {
  const { vectors, names } = voices({ speakers: 6, count: 5, noise: 0.2 });
  const found = identify([...vectors, Float32Array.of(1, 0, 0, 0, 0, 0)], [...names, "once"]);
  assert.deepEqual(found, { value: 1, interval: [1, 1], count: 30, speakers: 6 });
  const same = identify(vectors.map(() => Float32Array.of(1)), names);
  assert.equal(same.value, 1 / 6); // the first of equals
});

Deno.test("identify() weighs speakers alike, however their utterances are spread", () => {
  const at = (degrees: number) =>
    Float32Array.of(Math.cos(degrees * Math.PI / 180), Math.sin(degrees * Math.PI / 180));
  const steady = [0, 0, 0, 0].map(at);
  // both halves around 60 degrees, the first of little length; 10 is nearer to 0
  const varied = [10, 35, 110, 85].map(at);
  const names = [...steady.map(() => "steady"), ...varied.map(() => "varied")];
  assert.equal(identify([...steady, ...varied], names).value, 7 / 8);
});
