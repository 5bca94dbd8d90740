import assert from "node:assert/strict";
import { OnnxBuilder, type Value } from "../../../model/engines/onnx_builder.ts";
import { OnnxHead } from "../../../model/engines/onnx_head.ts";
import { type HeadFile, headSpecSchema } from "../../../model/heads/spec.ts";
import { seeded } from "../../../model/seeded.ts";
import { headGraph } from "../../../training/heads/graph.ts";
import { maxDifference } from "../../support/golden.ts";
import { fadingHead } from "../../support/heads.ts";

const [EVERY, C, LABELS] = [2, 6, 3];
const WIDTH = EVERY * C;
const DIMS = { context: C, latent: 8, steps: 3 };

const next = seeded(5);
const noise = (length: number) => Float32Array.from({ length }, () => next() - 0.5);
const WEIGHT = noise(WIDTH * LABELS); // [LABELS, WIDTH]
const BIAS = noise(LABELS);
const turned = Float32Array.from(
  WEIGHT,
  (_, i) => WEIGHT[i % LABELS * WIDTH + Math.floor(i / LABELS)],
);

/** A head whose graph is built here, from a row's features `[B, WIDTH]`. */
function headOf(
  build: (b: OnnxBuilder, features: Value) => Value,
  { outputs = LABELS, flat = true } = {},
): HeadFile {
  const b = new OnnxBuilder();
  const features = b.input("features", ["B", 1, EVERY, C]);
  const y = build(b, flat ? b.reshape(features, [0, WIDTH]) : features);
  b.output("y", y, ["B", outputs]);
  const spec = headSpecSchema.parse({
    input: "context",
    every: EVERY,
    features: "0".repeat(64),
    outputs: [{ name: "y", shape: [outputs] }],
  });
  return { name: "linear", spec, graph: b.encode(), folder: "linear" };
}

/** Whether ONNX Runtime computes a head's rows, and three of them. */
async function rowsOf(file: HeadFile): Promise<{ linear: boolean; rows: number[][] }> {
  const head = await OnnxHead.create(file, { dims: DIMS });
  try {
    const rows = await head.step(FEATURES, [[], [], []]);
    return {
      linear: head.linear !== undefined,
      rows: [0, 1, 2].map((b) => [...rows.subarray(b * head.width, (b + 1) * head.width)]),
    };
  } finally {
    await head.dispose();
  }
}

const FEATURES = noise(3 * WIDTH);
const logits = [0, 1, 2].map((b) =>
  Array.from({ length: LABELS }, (_, o) => {
    let sum = BIAS[o];
    for (let i = 0; i < WIDTH; i++) sum += WEIGHT[o * WIDTH + i] * FEATURES[b * WIDTH + i];
    return sum;
  })
);
const softmax = (row: number[]) => {
  const sum = row.reduce((all, x) => all + Math.exp(x), 0);
  return row.map((x) => Math.exp(x) / sum);
};
const weight = (b: OnnxBuilder) => b.constant(turned, [WIDTH, LABELS]);
const bias = (b: OnnxBuilder) => b.constant(BIAS, [LABELS]);
const sum = (b: OnnxBuilder, x: Value) =>
  b.node("Add", [b.node("MatMul", [x, weight(b)]), bias(b)]);

const trained: HeadFile = {
  ...headOf((b, x) => b.slice(sum(b, x), { axis: 1, to: 2 }), { outputs: 2 }),
  graph: headGraph(new Map([["output.weight", turned], ["output.bias", BIAS]]), {
    shape: { type: "linear", width: WIDTH, hidden: 1, labels: LABELS },
    scale: { mean: new Float64Array(WIDTH), deviation: new Float64Array(WIDTH).fill(1) },
    every: EVERY,
    output: "y",
    given: 2,
  }),
};

Deno.test("OnnxHead computes a head of one product without ONNX Runtime", async () => {
  const kinds: [string, HeadFile, (row: number[]) => number[]][] = [
    ["deno task head", trained, (row) => softmax(row).slice(0, 2)],
    ["product and sum", headOf(sum), (row) => row],
    [
      "Gemm, turned",
      headOf((b, x) =>
        b.node("Tanh", [
          b.node("Gemm", [x, b.constant(WEIGHT, [LABELS, WIDTH]), bias(b)], { transB: 1 }),
        ])
      ),
      (row) => row.map(Math.tanh),
    ],
    [
      "a sum before",
      headOf((b, x) =>
        b.node("Relu", [b.node("Add", [bias(b), b.node("MatMul", [x, weight(b)])])])
      ),
      (row) => row.map((x) => Math.max(0, x)),
    ],
    [
      "Sigmoid, flattened",
      headOf((b, x) => b.node("Sigmoid", [sum(b, b.node("Flatten", [x]))]), { flat: false }),
      (row) => row.map((x) => 1 / (1 + Math.exp(-x))),
    ],
  ];
  for (const [kind, file, expected] of kinds) {
    const { linear, rows } = await rowsOf(file);
    assert.ok(linear, kind);
    for (const [b, row] of rows.entries()) {
      assert.ok(maxDifference(row, expected(logits[b])) <= 1e-6, `${kind}, row ${b}`);
    }
  }
});

Deno.test("OnnxHead leaves other heads, and other attributes, to ONNX Runtime", async () => {
  const kinds: [string, HeadFile, ((row: number[]) => number[])?][] = [
    [
      "a scaled Gemm",
      headOf((b, x) => b.node("Gemm", [x, weight(b), bias(b)], { beta: { float: 3 } })),
      (row) => row.map((x, o) => x + 2 * BIAS[o]),
    ],
    [
      "the last labels",
      headOf((b, x) => b.slice(sum(b, x), { axis: 1, from: 1 }), { outputs: 2 }),
      (row) => row.slice(1),
    ],
    [
      "two products",
      headOf((b, x) => b.node("MatMul", [sum(b, x), b.constant(noise(LABELS), [LABELS, 1])]), {
        outputs: 1,
      }),
    ],
    ["another operator", headOf((b, x) => b.node("LeakyRelu", [sum(b, x)]))],
    [
      "features that come in again",
      headOf((b, x) => b.node("Add", [sum(b, x), b.slice(x, { axis: 1, to: LABELS })])),
    ],
  ];
  for (const [kind, file, expected] of kinds) {
    const { linear, rows } = await rowsOf(file);
    assert.ok(!linear, kind);
    for (const [b, row] of rows.entries()) {
      if (expected) assert.ok(maxDifference(row, expected(logits[b])) <= 1e-5, `${kind}, row ${b}`);
    }
  }
  const stateful = await OnnxHead.create(fadingHead({ dims: C, every: EVERY }), { dims: DIMS });
  assert.equal(stateful.linear, undefined);
  await stateful.dispose();
});
