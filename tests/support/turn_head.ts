/** A small head of two speakers, which answers in the form of voice activity projection. */
import { OnnxBuilder } from "../../model/engines/onnx_builder.ts";
import { type HeadFile, headSpecSchema } from "../../model/heads/spec.ts";
import { random } from "./stream.ts";

const EVERY = 5;
const PAIRS = ["p_now", "p_future", "vad"] as const;

/**
 * A head `turns` with random weights: features fade into the state, and a projection of each
 * channel's becomes `vad` (its sigmoid), and `p_now` and `p_future` (softmax of both channels').
 *
 * @param dims width of the features
 */
export function turnHead(dims: number): HeadFile {
  const next = random(7);
  const graph = new OnnxBuilder();
  const features = graph.input("features", ["B", 2, EVERY, dims]);
  const fade = graph.input("state.fade", ["B", 2, dims]);
  const scale = (value: typeof fade, by: number) =>
    graph.node("Mul", [value, graph.constant(Float32Array.of(by), [1])]);
  const heard = graph.node("ReduceMean", [features], { axes: [2], keepdims: 0 });
  const kept = graph.node("Add", [scale(fade, 0.7), scale(heard, 0.3)]); // [B, 2, dims]
  const weights = Float32Array.from({ length: dims }, () => next() * 2 - 1);
  const projected = graph.node("MatMul", [kept, graph.constant(weights, [dims, 1])]); // [B, 2, 1]
  const logits = graph.reshape(projected, [-1, 2]);
  const answers = {
    p_now: graph.node("Softmax", [logits], { axis: 1 }),
    p_future: graph.node("Softmax", [scale(logits, 0.4)], { axis: 1 }),
    vad: graph.node("Sigmoid", [logits]),
  };
  for (const name of PAIRS) graph.output(name, answers[name], ["B", 2]);
  graph.output("next.fade", kept, ["B", 2, dims]);
  const spec = headSpecSchema.parse({
    input: "context",
    channels: 2,
    every: EVERY,
    features: "0".repeat(64),
    state: [{ name: "fade", shape: [2, dims] }],
    outputs: PAIRS.map((name) => ({ name, shape: [2] })),
    events: [0, 1].map((index) => ({
      event: `turn_of_${index + 1}`,
      output: "p_now",
      index,
      on: 0.5,
      off: 0.5,
    })),
  });
  return { name: "turns", spec, graph: graph.encode(), folder: "turns" };
}
