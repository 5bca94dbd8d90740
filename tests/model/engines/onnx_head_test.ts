import assert from "node:assert/strict";
import { OnnxHead } from "../../../model/engines/onnx_head.ts";
import { modelDims } from "../../../model/weights.ts";
import { maxDifference } from "../../support/golden.ts";
import { fadingHead, fadingRows } from "../../support/heads.ts";
import { tinyConfig } from "../../support/models.ts";
import { noise } from "../../support/noise.ts";

const dims = modelDims(tinyConfig);
const C = dims.context;
const SHAPE = { every: 2, dims: C };

Deno.test("OnnxHead.step() gives each row by its own state, alone and in any company", async () => {
  const head = await OnnxHead.create(fadingHead(SHAPE), { dims });
  try {
    assert.ok(head.secondsPerRow > 0);
    const [T, streams] = [12, 3];
    const features = Array.from({ length: streams }, (_, s) => noise(T * C, s));
    const expected = features.map((one) => fadingRows([one], SHAPE));
    const states = features.map(() => head.newState());
    for (let r = 0; r < T / 2; r++) {
      // company comes and goes
      for (const members of r % 3 === 0 ? [[0, 1, 2]] : [[0], [2, 1]]) {
        const parts = members.map((s) => features[s].subarray(r * 2 * C, (r + 1) * 2 * C));
        const rows = await head.step(
          Float32Array.from(parts.flatMap((part) => [...part])),
          members.map((s) => states[s]),
        );
        members.forEach((s, b) => {
          const { level, loud } = expected[s][r];
          const row = rows.subarray(b * head.width, (b + 1) * head.width);
          assert.ok(maxDifference([...row], [...level, loud]) <= 1e-5);
        });
      }
    }
  } finally {
    await head.dispose();
  }
});

Deno.test("OnnxHead.create() refuses a head whose rows change with the batch", async () => {
  const file = fadingHead({
    ...SHAPE,
    name: "sociable",
    // the mean over the batch
    alter: (graph, { level }) =>
      graph.node("Add", [level, graph.node("ReduceMean", [level], { axes: [0], keepdims: 1 })]),
  });
  await assert.rejects(OnnxHead.create(file, { dims }), {
    code: "weights_invalid",
    message: /head sociable: its rows change with the batch/,
  });
});

Deno.test("OnnxHead.create() refuses a head whose state changes with the batch", async () => {
  const file = fadingHead({
    ...SHAPE,
    mixes: true,
    // of the row's frames alone: the state does not show
    alter: (graph, { features }) =>
      graph.node("ReduceSum", [features, graph.ints([2])], { keepdims: 0 }),
  });
  await assert.rejects(OnnxHead.create(file, { dims }), /its state change with the batch/);
});

Deno.test("OnnxHead.create() refuses numbers that are not finite", async () => {
  const file = fadingHead({
    ...SHAPE,
    alter: (graph, { level }) => graph.node("Log", [level]), // of negative sums
  });
  await assert.rejects(OnnxHead.create(file, { dims }), /head fading: its rows are not finite/);
});

Deno.test("OnnxHead.create() refuses growing states and outputs of another shape", async () => {
  const wide = fadingHead({
    ...SHAPE,
    alter: (graph, { level }) => graph.node("Concat", [level, level], { axis: 2 }),
  });
  for (const file of [fadingHead({ ...SHAPE, grows: true }), wide]) {
    await assert.rejects(OnnxHead.create(file, { dims }), {
      code: "weights_invalid",
      message: /head fading: its first step failed: .*dimensions/,
    });
  }
});

Deno.test("OnnxHead.create() says why ONNX Runtime cannot load a graph", async () => {
  const file = fadingHead({
    ...SHAPE,
    alter: (graph, { level }) =>
      graph.node("MatMul", [level, graph.constant(new Float32Array(5), [5])]),
  });
  await assert.rejects(OnnxHead.create(file, { dims }), {
    code: "weights_invalid",
    message: /head fading: ONNX Runtime cannot load it: ./,
  });
});
