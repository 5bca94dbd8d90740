import assert from "node:assert/strict";
import { linesOf } from "../../bench/engines.ts";

Deno.test("linesOf() keeps the columns of the slowest engines apart", () => {
  const fast = { rate: 10.4, ratio: 1 };
  const slow = { rate: 0.001234, ratio: 0.0001187 };
  const lines = linesOf({
    rows: [
      { name: "onnx on cpu", library: "onnxruntime-node", rates: [fast, fast] },
      { name: "tfjs on webgpu", library: "a driver in software", rates: [slow, slow] },
    ],
    leftOut: [{ name: "onnx on cuda", why: "no NVIDIA driver here" }],
  }, [[1, 1], [32, 1]]);
  assert.deepEqual(lines, [
    "streams × hops              1 × 1             32 × 1",
    "onnx on cpu            10.4 (1.0)         10.4 (1.0)  onnxruntime-node",
    "tfjs on webgpu  0.00123 (0.00012)  0.00123 (0.00012)  a driver in software",
    "onnx on cuda    left out: no NVIDIA driver here",
  ]);
});
