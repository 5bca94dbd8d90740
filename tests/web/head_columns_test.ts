import assert from "node:assert/strict";
import { columnsOf, isAboutTurns, titleOf } from "../../web/head_columns.ts";

const pair = (name: string) => ({ name, shape: [2] });

Deno.test("columnsOf() names every number by label, speaker, output or place, 12 at most", () => {
  const one = { channels: 1 } as const;
  const two = { channels: 2 } as const;
  assert.deepEqual(columnsOf(one, { name: "speech", shape: [1], labels: ["voice"] }).labels, [
    "voice",
  ]);
  assert.deepEqual(columnsOf(one, { name: "speech", shape: [1] }).labels, ["speech"]);
  assert.deepEqual(columnsOf(one, pair("x")).labels, ["x 0", "x 1"]);
  assert.deepEqual(columnsOf(two, pair("x")).labels, ["speaker 1", "speaker 2"]);
  const many = columnsOf(one, { name: "x", shape: [5, 4] });
  assert.deepEqual([many.labels.length, many.left], [12, 8]);
});

Deno.test("titleOf() says what turns are about, of heads that give both", () => {
  const outputs = ["p_now", "p_future", "vad"].map(pair);
  const head = { channels: 2, outputs } as const;
  assert.ok(isAboutTurns(head));
  assert.equal(titleOf(head, pair("p_now")), "Whose turn it is");
  assert.equal(titleOf(head, pair("other")), "other");
  for (
    const other of [{ ...head, channels: 1 }, { ...head, outputs: outputs.slice(1) }, {
      ...head,
      outputs: [...outputs.slice(1), { name: "p_now", shape: [1] }],
    }] as const
  ) {
    assert.ok(!isAboutTurns(other));
    assert.equal(titleOf(other, pair("p_now")), "p_now");
  }
});
