import assert from "node:assert/strict";
import { decodeBinary, readRows } from "../../client/binary_frame.ts";

/** A frame of two latents of width 2, and a score of one step each. */
function frame(dtype: 0 | 1): ArrayBuffer {
  const values = [1, -2, 0.5, 65504, NaN, 0, 0, 1.5, 0.25, 1];
  const halves = [0x3c00, 0xc000, 0x3800, 0x7bff, 0x7e00, 0, 0, 0x3e00, 0x3400, 0x3c00];
  const bytes = new Uint8Array(16 + values.length * (dtype === 0 ? 4 : 2));
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("CPC1"));
  view.setUint32(4, 70, true);
  view.setUint32(8, 2, true);
  view.setUint8(12, 2 + 8);
  view.setUint8(13, dtype);
  view.setUint16(14, 1, true);
  for (const [i, value] of (dtype === 0 ? values : halves).entries()) {
    if (dtype === 0) view.setFloat32(16 + 4 * i, value, true);
    else view.setUint16(16 + 2 * i, value, true);
  }
  return bytes.buffer;
}

Deno.test("decodeBinary() and readRows() read floats and halves; a score of NaN is null", () => {
  for (const dtype of [0, 1] as const) {
    const binary = decodeBinary(frame(dtype));
    assert.deepEqual([binary.first, binary.count, binary.output, binary.steps], [
      70,
      2,
      ["latent", "score"],
      1,
    ]);
    assert.deepEqual(readRows(binary, { context: 3, latent: 2 }), {
      latent: [Float32Array.of(1, -2), Float32Array.of(0.5, 65504)],
      score: [null, { surprise: 1.5, nce: [0.25], correct: [1] }],
    });
  }
});

Deno.test("decodeBinary() reads halves that are tiny or not finite", () => {
  const buffer = frame(1);
  new Uint16Array(buffer, 16).set([1, 0x8001, 0x03ff, 0x7c00, 0xfc00]);
  assert.deepEqual([...decodeBinary(buffer).rows.subarray(0, 5)], [
    2 ** -24,
    -(2 ** -24),
    1023 * 2 ** -24,
    Infinity,
    -Infinity,
  ]);
});

Deno.test("decodeBinary() refuses what is not a frame", () => {
  for (const bytes of [new Uint8Array(3), new Uint8Array(40)]) {
    assert.throws(() => decodeBinary(bytes.buffer), { code: "connection_lost" });
  }
});
