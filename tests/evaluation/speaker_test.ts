import assert from "node:assert/strict";
import { allPairs } from "../../evaluation/metrics/verification.ts";
import {
  equalErrorThreshold,
  errorRates,
  speakerClips,
  speakerFigures,
  speakerTable,
} from "../../evaluation/speaker.ts";

const segment = (speaker: string, path: string, samples: number, startSample = 0) => ({
  path,
  startSample,
  samples,
  speaker,
  source: "s",
  text: "",
  split: "dev" as const,
});

Deno.test("speakerClips() cuts a speaker's recordings, and leaves out whoever has one", () => {
  const clips = speakerClips([
    segment("ann", "a", 30, 5),
    segment("bob", "b", 30),
    segment("ann", "c", 25),
    segment("", "d", 100),
  ], { samples: 20 });
  assert.deepEqual(clips, [
    { speaker: "ann", pieces: [{ path: "a", from: 5, to: 25 }] },
    { speaker: "ann", pieces: [{ path: "a", from: 25, to: 35 }, { path: "c", from: 0, to: 10 }] },
  ]);
  const many = speakerClips([segment("ann", "a", 2000)], { samples: 20 });
  assert.deepEqual(many.map(({ pieces: [{ from }] }) => from / 20), [
    ...[0, 12, 25, 37, 50, 62, 75, 87],
  ]);
});

/** Pairs with these cosines: unit vectors at angles, by speaker. */
const trials = (angles: readonly (readonly [string, number])[]) =>
  allPairs(
    angles.map(([, angle]) => Float32Array.of(Math.cos(angle), Math.sin(angle))),
    angles.map(([name]) => name),
  );

Deno.test("equalErrorThreshold() accepts falsely as often as it misses, sets alike", () => {
  const apart = trials([["ann", 0], ["ann", 0.3], ["bob", 2], ["bob", 2.4]]);
  const threshold = equalErrorThreshold([apart]);
  assert.deepEqual(errorRates(apart, threshold), { falseAccepts: 0, misses: 0 });
  assert.ok(threshold > Math.cos(1.7) && threshold <= Math.cos(0.3) + 1e-6);
  const mixed = trials([["ann", 0], ["ann", 1], ["bob", 0.9], ["bob", 2]]);
  const both = equalErrorThreshold([apart, mixed]);
  const sum = (at: number) =>
    [apart, mixed].map((one) => errorRates(one, at)).reduce(
      (excess, { falseAccepts, misses }) => excess + falseAccepts - misses,
      0,
    );
  assert.ok(sum(both) <= 0);
  assert.ok(sum(both - 1e-6) > sum(both), "a lower threshold accepts more");
});

Deno.test("speakerTable() has a row for each model, source and length, in percent", () => {
  const mixed = trials([["ann", 0], ["ann", 1], ["bob", 0.9], ["bob", 2]]);
  const figures = speakerFigures(mixed, { threshold: 0.6, source: "s", seconds: 5, clips: 4 });
  assert.deepEqual([figures.falseAccepts, figures.misses], [0.5, 1]);
  const [, , row] = speakerTable([{ id: "tiny", figures: [figures] }]).split("\n");
  assert.match(row, /^\| tiny \| s \| 5 s \| 2 \| 4 \| 6 \| [\d.]+.* \| 50\.0 \| 100\.0 \|$/);
});
