import assert from "node:assert/strict";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { checkGraph } from "../../../model/heads/check.ts";
import { readGraph } from "../../../model/heads/read_graph.ts";
import { fadingHead } from "../../support/heads.ts";

/** A message of text fields and messages, by their numbers. */
function message(fields: readonly (readonly [number, string | Uint8Array])[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [field, value] of fields) {
    const tagged = writer.tag(field, WireType.LengthDelimited);
    if (typeof value === "string") tagged.string(value);
    else tagged.bytes(value);
  }
  return writer.finish();
}

/** A model with one `If`, in whose branch there is one more operator. */
function branching(inner: Uint8Array): Uint8Array {
  const attribute = message([[1, "then_branch"], [6, message([[1, inner]])]]);
  return message([[7, message([[1, message([[4, "If"], [5, attribute]])]])]]);
}

Deno.test("readGraph() finds operators in branches, where checkGraph() refuses them", () => {
  const graph = branching(message([[3, "dice"], [4, "RandomNormal"]]));
  const { operators } = readGraph(graph, "head.onnx");
  assert.deepEqual(operators.map(({ opType }) => opType), ["RandomNormal", "If"]);
  const { spec } = fadingHead({ dims: 2 });
  const options = { spec, dims: { context: 2, latent: 3 }, file: "head.onnx" };
  assert.throws(() => checkGraph(graph, options), {
    code: "weights_invalid",
    message: /head\.onnx: a head may not use the operator RandomNormal \(node dice\)/,
  });
});

Deno.test("readGraph() notices outside constants and functions, which are refused", () => {
  const { spec } = fadingHead({ dims: 2 });
  const options = { spec, dims: { context: 2, latent: 3 }, file: "head.onnx" };
  const external = message([[8, "w"], [13, message([[1, "location"], [2, "weights.bin"]])]]);
  const elsewhere = message([[7, message([[5, external]])]]);
  assert.equal(readGraph(elsewhere, "head.onnx").external, true);
  assert.throws(() => checkGraph(elsewhere, options), /its numbers lie in other files/);
  const functions = message([[7, new Uint8Array(0)], [25, message([[1, "mine"]])]]);
  assert.deepEqual(readGraph(functions, "head.onnx").functions, ["mine"]);
  assert.throws(() => checkGraph(functions, options), /it defines functions of its own \(mine\)/);
});

Deno.test("readGraph() refuses what is cut short, wherever it is cut", () => {
  const { graph } = fadingHead({ dims: 2 });
  const whole = new Uint8Array(graph);
  assert.equal(readGraph(whole, "head.onnx").inputs.length, 2);
  for (let end = 0; end < whole.length - 40; end += 7) { // the last bytes name operator sets
    assert.throws(
      () => readGraph(whole.subarray(0, end), "head.onnx"),
      /head\.onnx is no ONNX model/,
    );
  }
});
