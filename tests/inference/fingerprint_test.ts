import assert from "node:assert/strict";
import { fingerprintOf } from "../../inference/fingerprint.ts";
import { fadingHead } from "../support/heads.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";

const OPTIONS = { engine: "onnx", precision: "fp32" };
const head = fadingHead({ dims: tinyConfig.context.hidden });

Deno.test("fingerprintOf() is the same for the same numbers, under any name and order", () => {
  const weights = { ...randomWeights(tinyConfig, 3, "a"), heads: [head] };
  const other = {
    ...randomWeights(tinyConfig, 3, "b"),
    heads: [fadingHead({ dims: tinyConfig.context.hidden })],
  };
  const backwards = { ...other, tensors: new Map([...other.tensors].reverse()) };
  assert.equal(fingerprintOf(backwards, OPTIONS), fingerprintOf(weights, OPTIONS));
});

Deno.test("fingerprintOf() changes with weights, shapes, heads, config, engine, precision", () => {
  const weights = { ...randomWeights(tinyConfig, 3, "a"), heads: [head] };
  const changed = (change: (tensor: { shape: number[]; data: Float32Array }) => void) => {
    const tensors = new Map(
      Array.from(weights.tensors, ([name, { shape, data }]) => [
        name,
        { shape: [...shape], data: data.slice() },
      ]),
    );
    change([...tensors.values()].at(-1)!);
    return { ...weights, tensors };
  };
  const graph = new Uint8Array(head.graph);
  graph[graph.length - 1] ^= 1;
  const prints = [
    fingerprintOf(weights, OPTIONS),
    fingerprintOf(changed(({ data }) => void (data[data.length - 1] += 1)), OPTIONS),
    fingerprintOf(changed(({ shape }) => void shape.push(1)), OPTIONS),
    fingerprintOf({ ...weights, config: { ...tinyConfig, input_scale: 2 } }, OPTIONS),
    fingerprintOf({ ...weights, heads: [] }, OPTIONS),
    fingerprintOf({ ...weights, heads: [{ ...head, graph }] }, OPTIONS),
    fingerprintOf({ ...weights, heads: [{ ...head, name: "other" }] }, OPTIONS),
    fingerprintOf(weights, { ...OPTIONS, engine: "tfjs" }),
    fingerprintOf(weights, { ...OPTIONS, precision: "int8" }),
  ];
  assert.equal(new Set(prints).size, prints.length);
});
