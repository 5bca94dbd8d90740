import assert from "node:assert/strict";
import { OnnxBuilder, type Value } from "../../../model/engines/onnx_builder.ts";
import { statesInPlace } from "../../../model/heads/in_place.ts";
import { readGraph } from "../../../model/heads/read_graph.ts";

const SHAPE = ["B", 4, 2];

/** The states in place of a graph that has one, `ring`, and a row to write into it. */
function inPlace(build: (graph: OnnxBuilder, state: Value, row: Value) => void): string[] {
  const graph = new OnnxBuilder();
  build(graph, graph.input("state.ring", SHAPE), graph.input("features", ["B", 1, 2]));
  return [...statesInPlace(readGraph(graph.encode(), "head.onnx"), ["ring"])];
}

/** Writes the row over the first place of `data`. */
const scatter = (graph: OnnxBuilder, data: Value, row: Value) => [
  data,
  graph.constant(new BigInt64Array(2), [1, 1, 2]),
  row,
];
const next = (graph: OnnxBuilder, input: Value[]) =>
  graph.outputNode("next.ring", "ScatterElements", {
    input,
    shape: SHAPE,
    attributes: { axis: 1 },
  });

Deno.test("statesInPlace() finds a state that only a scatter reads", () => {
  const found = inPlace((graph, state, row) => {
    const ring = next(graph, scatter(graph, state, row));
    graph.output("sum", graph.node("ReduceSum", [ring, graph.ints([1])]), ["B", 1, 2]);
  });
  assert.deepEqual(found, ["ring"]);
});

Deno.test("statesInPlace() leaves out a state that the graph reads besides", () => {
  const others: Parameters<typeof inPlace>[0][] = [
    (graph, state, row) => { // the old one is read too
      next(graph, scatter(graph, state, row));
      graph.output("sum", graph.node("ReduceSum", [state, graph.ints([1])]), ["B", 1, 2]);
    },
    (graph, state, row) => { // another node gives the next one
      const ring = graph.node("ScatterElements", scatter(graph, state, row), { axis: 1 });
      graph.output("next.ring", graph.node("Neg", [ring]), SHAPE);
    },
    (graph, state) => { // it is no scatter
      graph.outputNode("next.ring", "Neg", { input: [state], shape: SHAPE });
    },
    (graph, state, row) => { // it is what is written
      next(graph, scatter(graph, row, state));
    },
    (graph, state) => { // it is both
      next(graph, scatter(graph, state, state));
    },
    (graph, _, row) => { // nobody reads it
      next(graph, scatter(graph, row, row));
    },
  ];
  for (const [i, build] of others.entries()) assert.deepEqual(inPlace(build), [], `case ${i}`);
});
