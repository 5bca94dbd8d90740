import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeBinary, encodeJson, rowsFrom } from "../../../streaming/protocol/frames.ts";
import { formatFloat, formatRow } from "../../../formats/float_text.ts";
import type { FrameBlock } from "../../../inference/messages.ts";
import { serverMessageSchemas } from "../../../streaming/protocol/messages.ts";
import { binaryFrames, heardFrames } from "../../support/stream_client.ts";

const page = Deno.readTextFileSync(new URL("../../../docs/protocol.md", import.meta.url));
const shape = { contextWidth: 2, latentWidth: 3, frameSeconds: 0.01, steps: 2 };

const block: fc.Arbitrary<FrameBlock> = fc.record({
  count: fc.integer({ min: 1, max: 5 }),
  start: fc.integer({ min: 0, max: 1000 }),
  every: fc.integer({ min: 1, max: 4 }),
  context: fc.boolean(),
  latent: fc.boolean(),
  predicted: fc.boolean(),
  seed: fc.float({ noNaN: true, min: -1, max: 1 }),
}).map(({ count, start, every, context, latent, predicted, seed }) => {
  const prediction = predicted ? [1, 3] : [];
  const width = (context ? 2 : 0) + (latent ? 3 : 0) + prediction.length * 3;
  const data = Float32Array.from({ length: count * width }, (_, i) => seed + i / 7 + 0);
  const first = start * every;
  return {
    channels: 1,
    first,
    count,
    frames: first + count * every,
    want: { context, latent, prediction, score: [], every },
    data,
  };
});

Deno.test("encodeBinary() writes what docs/protocol.md shows, byte by byte", () => {
  const vectors = [...page.matchAll(/```hex\n([^`]+)```/g)].map(([, hex = ""]) =>
    hex.trim().split(/\s+/).map((x) => parseInt(x, 16))
  );
  assert.equal(vectors.length, 4);
  const want = { context: true, latent: false, prediction: [2], score: [], every: 2 };
  const data = Float32Array.of(0.5, -1, 0.25, 1, 1, 2, 3, -0.5, 0, 65504);
  const told = { channels: 1, first: 4, count: 2, frames: 8, want, data };
  const one = { ...shape, steps: 1 };
  assert.deepEqual([...encodeBinary(told, { shape: one, dtype: "f32" })], vectors[0]);
  assert.deepEqual([...encodeBinary(told, { shape: one, dtype: "f16" })], vectors[1]);
  const score = { context: false, latent: false, prediction: [], score: [1, 4], every: 1 };
  const scores = Float32Array.of(NaN, NaN, NaN, NaN, NaN, 2.5, 2, 3, 0, 1);
  const scored = { channels: 1, first: 0, count: 2, frames: 2, want: score, data: scores };
  assert.deepEqual([...encodeBinary(scored, { shape, dtype: "f32" })], vectors[2]);
  assert.deepEqual([...encodeBinary(told, { shape: one, dtype: "f32", channel: 1 })], vectors[3]);
  for (const bytes of vectors.slice(0, 2)) {
    assert.deepEqual(binaryFrames(Uint8Array.from(bytes), { C: 2, Z: 3, every: 2 }), [
      { index: 4, context: [0.5, -1], prediction: [[1, 2, 3]] },
      { index: 6, context: [0.25, 1], prediction: [[-0.5, 0, 65504]] },
    ]);
  }
});

Deno.test("encodeJson() and encodeBinary() tell the same floats, bit by bit", () => {
  fc.assert(fc.property(block, (told) => {
    const { every } = told.want;
    const text = encodeJson(told, { shape, formatRow });
    const json = JSON.parse(
      text,
      (key, x) => typeof x === "number" && key !== "time" ? Math.fround(x) : x,
    );
    serverMessageSchemas.frames.parse(json);
    const bytes = encodeBinary(told, { shape, dtype: "f32" });
    assert.equal(bytes.length, 16 + told.data.byteLength);
    const frames = binaryFrames(bytes, { C: 2, Z: 3, every });
    assert.deepEqual(heardFrames([json], { C: 2, Z: 3, every }), frames);
    const halves = binaryFrames(encodeBinary(told, { shape, dtype: "f16" }), { C: 2, Z: 3, every });
    const half = (row?: number[]) => row && Array.from(Float16Array.from(row));
    for (const [i, frame] of frames.entries()) {
      assert.deepEqual(halves[i]?.context, half(frame.context));
      assert.deepEqual(halves[i]?.latent, half(frame.latent));
      assert.deepEqual(halves[i]?.prediction, frame.prediction?.map(half));
    }
  }));
});

Deno.test("encodeJson() writes a score as an object, null where there is none", () => {
  const want = { context: false, latent: false, prediction: [], score: [1, 4], every: 1 };
  const data = Float32Array.of(NaN, NaN, NaN, NaN, NaN, 2.5, 2, 3, 0, 1);
  const json = JSON.parse(
    encodeJson({ channels: 1, first: 0, count: 2, frames: 2, want, data }, { shape, formatRow }),
  );
  assert.deepEqual(json.score, [null, { nce: [2, 3], correct: [0, 1], surprise: 2.5 }]);
  serverMessageSchemas.frames.parse(json);
});

Deno.test("rowsFrom() leaves out what comes before a frame, of every output", () => {
  fc.assert(fc.property(block, fc.integer({ min: -2, max: 24 }), (told, after) => {
    const first = told.first + after; // mostly within its rows
    const read = (block: FrameBlock) =>
      binaryFrames(encodeBinary(block, { shape, dtype: "f32" }), {
        C: 2,
        Z: 3,
        every: told.want.every,
      });
    assert.deepEqual(
      read(rowsFrom(told, { first, shape })),
      read(told).filter(({ index }) => index >= first),
    );
  }));
});

Deno.test("formatFloat() reads back as the same float", () => {
  fc.assert(
    fc.property(
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      (x) => Math.fround(Number(formatFloat(x))) === x,
    ),
  );
  assert.deepEqual([formatFloat(NaN), formatFloat(Infinity), formatRow([])], [
    "null",
    "null",
    "[]",
  ]);
});

Deno.test("encodeJson() writes the prediction, and the score, of a single step", () => {
  const predicted = { context: false, latent: false, prediction: [2], score: [], every: 1 };
  const data = Float32Array.of(1, 2, 3);
  const block = { channels: 1, first: 0, count: 1, frames: 1, want: predicted, data };
  assert.deepEqual(JSON.parse(encodeJson(block, { shape, formatRow })).prediction, [[[1, 2, 3]]]);
  const scored = { ...predicted, prediction: [], score: [2] };
  const scores = { ...block, want: scored, data: Float32Array.of(0.5, 0.25, 1) };
  assert.deepEqual(JSON.parse(encodeJson(scores, { shape, formatRow })).score, [
    { nce: [0.25], correct: [1], surprise: 0.5 },
  ]);
});
