import assert from "node:assert/strict";
import { judge, speechTables } from "../../../evaluation/speech/compare.ts";
import { onsetDelay, onsetsOf, quantile, scoreAt } from "../../../evaluation/speech/onsets.ts";

const span = (start: number, end: number, label: string) => ({ start, end, label });
const scores = (
  values: number[],
  { hopS = 0.01, firstKnownS = 0.01 }: { hopS?: number; firstKnownS?: number } = {},
) => ({
  hopS,
  firstKnownS,
  values,
});

Deno.test("scoreAt() is the score of the row that holds the time, the last one to the end", () => {
  const coarse = scores([0.1, 0.2], { hopS: 0.032 });
  assert.deepEqual([0, 0.031, 0.032, 0.5].map((time) => scoreAt(coarse, time)), [
    0.1,
    0.1,
    0.2,
    0.2,
  ]);
});

Deno.test("onsetsOf() takes speech after silence that lasted long enough", () => {
  const onsets = onsetsOf([
    span(0, 0.5, "silence"),
    span(0.52, 1, "speech"),
    span(1, 1.2, "silence"),
    span(1.2, 2, "speech"), // too short a silence
    span(2, 3, "silence"),
    span(3.3, 4, "speech"), // who knows where it began
  ]);
  assert.deepEqual(onsets, [0.52]);
});

Deno.test("onsetDelay() counts until the score is known, and gives up after a second", () => {
  const values = Array.from({ length: 300 }, (_, row) => row >= 55 ? 0.9 : 0.1);
  const delay = (threshold: number, onsetS = 0.5, more = {}) =>
    onsetDelay(scores(values, more), { onsetS, threshold });
  assert.ok(Math.abs(delay(0.5) - 0.06) < 1e-9);
  assert.ok(Math.abs(delay(0.5, 0.5, { firstKnownS: 0.0195 }) - 0.0695) < 1e-9);
  assert.equal(delay(0.95), Infinity);
  assert.ok(Math.abs(delay(0.05, 0.6) - 0.01) < 1e-9);
});

Deno.test("quantile() of few items", () => {
  assert.deepEqual([quantile([3, 1, 2], 0.5), quantile([1, Infinity], 0.9)], [2, Infinity]);
  assert.ok(Number.isNaN(quantile([], 0.5)));
});

Deno.test("judge() finds a late detector late, a blind one blind, and counts false alarms", () => {
  const spans = [span(0, 0.5, "silence"), span(0.5, 1, "speech"), span(1, 1.5, "silence")];
  const frames = (speech: (row: number) => number) =>
    [0, 1].map(() => ({ spans, scores: scores(Array.from({ length: 150 }, (_, i) => speech(i))) }));
  const perfect = judge(frames((row) => row >= 50 && row < 100 ? 0.9 : 0.1));
  assert.deepEqual([perfect.auc.value, perfect.f1.value, perfect.falseAlarms], [1, 1, 0]);
  assert.ok(Math.abs(perfect.delayS - 0.01) < 1e-9);
  assert.deepEqual([perfect.onsets, perfect.missed], [2, 0]);
  const late = judge(frames((row) => row >= 70 && row < 120 ? 0.9 : 0.1));
  assert.ok(late.auc.value < 0.9 && late.falseAlarms === 0.2);
  assert.equal(late.missed, 1, "20 % false alarms are more than 5 %: no threshold is left");
  const blind = judge(frames(() => 0.5));
  assert.equal(blind.auc.value, 0.5);
  assert.equal(blind.missed, 1);
  const loud = judge(frames(() => 1));
  assert.equal(loud.missed, 1, "no threshold has 5 % false alarms");
  const tables = speechTables([{ detector: "ours", condition: "clean", figures: perfect }]);
  assert.match(tables, /\| ours \| 1\.000 \(1\.000–1\.000\) \|/);
  assert.match(tables, /\| ours \| 10, 10 \(0\.0\) \|/);
});
