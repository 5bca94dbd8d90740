import assert from "node:assert/strict";
import type { PoolModel } from "../../inference/models.ts";
import { answer, type AnswerOptions } from "../../recordings/answers.ts";
import { rowParts } from "../../recordings/parts.ts";

const ROWS = 5000;
const WIDTH = 24;
const data = Float32Array.from({ length: ROWS * WIDTH }, (_, i) => Math.fround(Math.sin(i)));

Deno.test("rowParts() cuts an array into whole rows, in order, with nothing left out", () => {
  for (const width of [1, WIDTH, 10_000]) {
    const parts = [...rowParts(data, width)];
    assert.ok(parts.length > 1);
    assert.ok(parts.every(({ length }) => length % width === 0 && length <= Math.max(8192, width)));
    assert.deepEqual(Float32Array.from(parts.flatMap((part) => [...part])), data);
  }
  assert.deepEqual([...rowParts(new Float32Array(), 3)], []);
});

Deno.test("answer() never writes much at once, however much was computed at once", async () => {
  const model = {
    weights: { id: "m" },
    layout: { plan: { hopSamples: 160 } },
  } as PoolModel;
  const items = [{
    seconds: 50,
    frames: ROWS,
    features: [{
      output: "context" as const,
      shape: [ROWS, WIDTH],
      async *read() {
        yield await Promise.resolve(data);
      },
    }],
    heads: [{
      name: "h",
      rate: 100,
      rows: ROWS,
      spec: { outputs: [{ name: "p", shape: [WIDTH] }] },
      async *read() {
        yield await Promise.resolve(data);
      },
    }],
  }];
  const piecesOf = (format: AnswerOptions["format"]) =>
    Array.fromAsync(answer(items, { format, model, dtype: "f32" }));
  const json = await piecesOf("json");
  assert.ok(json.every(({ length }) => length < 300_000), "under 20 bytes a number");
  const read = JSON.parse(await new Blob(json as BlobPart[]).text()).data[0];
  assert.deepEqual(Float32Array.from(read.context.flat()), data);
  assert.equal(read["head.h"].rows.length, ROWS);
  assert.deepEqual(read["head.h"].rows.at(-1).p, read.context.at(-1));
  const npz = await piecesOf("npz");
  assert.ok(npz.every(({ length }) => length <= 4 * 8192));
});

Deno.test("answer() refuses an npz file beyond 4 GiB before anything is computed", () => {
  const huge = ["context", "latent"].map((output) => ({
    output: output as "context" | "latent",
    shape: [2 ** 29, 1],
    read: (): never => assert.fail("computed"),
  }));
  const model = { weights: { id: "m" }, layout: { plan: { hopSamples: 160 } } } as PoolModel;
  const items = [{ seconds: 1, frames: 2 ** 29, features: huge, heads: [] }];
  assert.throws(() => answer(items, { format: "npz", model, dtype: "f32" }), {
    code: "invalid_option",
    param: "format",
  });
});
