import assert from "node:assert/strict";
import type * as Ort from "onnxruntime-node";
import { OnnxBuilder } from "../../../model/engines/onnx_builder.ts";
import { loadOnnxRuntime, runInto } from "../../../model/engines/onnx_runtime.ts";

/** Runs y = x + x into a given array; returns that array, and what the runtime gave besides. */
async function doubled(x: Float32Array) {
  const ort = await loadOnnxRuntime();
  const b = new OnnxBuilder();
  const input = b.input("x", [1, x.length]);
  b.output("y", b.node("Add", [input, input]), [1, x.length]);
  const session = await ort.InferenceSession.create(b.encode());
  const given: Ort.InferenceSession.OnnxValueMapType[] = [];
  const watched: Pick<Ort.InferenceSession, "run"> = {
    run: async (feeds, fetches) => {
      const results = await session.run(feeds, fetches as Record<string, Ort.Tensor>);
      given.push(results);
      return results;
    },
  };
  const y = new Float32Array(x.length);
  const tensor = (data: Float32Array) => new ort.Tensor("float32", data, [1, x.length]);
  await runInto(watched, { feeds: { x: tensor(x) }, fetches: { y: tensor(y) } });
  await session.release();
  return { y, results: given.map((one) => one.y.data as Float32Array) };
}

Deno.test("runInto() fills the given array, and frees what the runtime gives besides", async () => {
  const { y, results } = await doubled(Float32Array.of(1, 2, 3));
  assert.deepEqual(y, Float32Array.of(2, 4, 6));
  assert.equal(results.length, 1);
  assert.ok(results[0] === y || results[0].length === 0, "not left to the collector");
});

Deno.test("runInto() leaves the given arrays alone where the runtime gives them back", async () => {
  const { Tensor } = await loadOnnxRuntime();
  const y = new Tensor("float32", Float32Array.of(1, 2), [2]);
  await runInto({ run: () => Promise.resolve({ y }) }, { feeds: {}, fetches: { y } });
  assert.deepEqual(y.data, Float32Array.of(1, 2));
});
