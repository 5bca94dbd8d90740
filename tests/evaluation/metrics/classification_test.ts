import assert from "node:assert/strict";
import { accuracy, f1, rocAuc, type Scored } from "../../../evaluation/metrics/classification.ts";
import { seeded } from "../../../model/seeded.ts";

function scored(labels: number[], scores: number[][], groups = labels.map((_, i) => i)): Scored {
  return {
    labels: Int32Array.from(labels),
    scores: Float32Array.from(scores.flat()),
    classes: scores[0].length,
    groups: Int32Array.from(groups),
    groupCount: Math.max(...groups) + 1,
  };
}
const sure = (...p: number[]) => p.map((x) => [x, 1 - x]);

Deno.test("rocAuc() is the share of pairs in order, ties half", () => {
  const labels = [0, 0, 0, 1, 1];
  const auc = (...p: number[]) => rocAuc(scored(labels, sure(...p)), 0).value;
  assert.equal(auc(0.9, 0.8, 0.7, 0.2, 0.1), 1);
  assert.equal(auc(0.1, 0.2, 0.3, 0.8, 0.9), 0);
  assert.equal(auc(0.5, 0.5, 0.5, 0.5, 0.5), 0.5);
  assert.equal(auc(0.9, 0.5, 0.1, 0.5, 0.3), (2 + 1.5 + 0) / 6);
  assert.ok(Number.isNaN(rocAuc(scored([0, 0], sure(0.1, 0.2)), 0).value));
});

Deno.test("rocAuc() over resampled groups equals that of the rows written out", () => {
  const random = seeded(4);
  const labels = Array.from({ length: 60 }, () => random() < 0.4 ? 0 : 1);
  const scores = sure(...labels.map((label) => Math.round(10 * (random() - 0.2 * label)) / 10));
  const pairs = labels.flatMap((a, i) =>
    labels.flatMap((b, j) => {
      if (a !== 0 || b !== 1) return [];
      return [scores[i][0] > scores[j][0] ? 1 : scores[i][0] === scores[j][0] ? 0.5 : 0];
    })
  );
  const mean = pairs.reduce((sum: number, x) => sum + x, 0) / pairs.length;
  const groups = labels.map((_, i) => i % 6);
  const { value, interval, speakers } = rocAuc(scored(labels, scores, groups), 0);
  assert.ok(Math.abs(value - mean) < 1e-12);
  assert.ok(interval && interval[0] <= value && value <= interval[1]);
  assert.equal(speakers, 6);
});

Deno.test("accuracy() and f1() count the highest score, the first of equals", () => {
  const three = scored([0, 0, 1, 1, 2], [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0.4, 0.4, 0.2], [
    0,
    0,
    1,
  ]]);
  assert.equal(accuracy(three).value, 3 / 5);
  assert.equal(f1(three, 0).value, 2 * 1 / (2 + 2));
  assert.equal(f1(three, 1).value, 2 * 1 / (2 + 2));
  assert.equal(f1(three).value, (0.5 + 0.5 + 1) / 3);
  assert.equal(f1(scored([0, 0], [[1, 0, 0], [1, 0, 0]])).value, 1, "labels that never occur");
});
