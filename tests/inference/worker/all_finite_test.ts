import assert from "node:assert/strict";
import { allFinite } from "../../../inference/worker/all_finite.ts";

const LARGEST = 3.4028234663852886e38;

Deno.test("allFinite() finds a NaN or an infinity in every place of any length", () => {
  for (let length = 1; length <= 9; length++) {
    const data = new Float32Array(length + 1).subarray(1); // not at the start of its memory
    for (let place = 0; place < length; place++) {
      for (const wrong of [NaN, Infinity, -Infinity]) {
        data.fill(0.5)[place] = wrong;
        assert.equal(allFinite(data), false, `${wrong} at ${place} of ${length}`);
      }
      new Uint32Array(data.buffer, data.byteOffset)[place] = 0xff80_0001; // NaN with a sign
      assert.equal(allFinite(data), false, `a NaN with a sign at ${place} of ${length}`);
    }
  }
});

Deno.test("allFinite() passes every finite number, the largest and the smallest too", () => {
  const finite = [0, -0, 1, -1, 1e-45, -1e-45, 1.2e-38, LARGEST, -LARGEST];
  for (const x of finite) assert.ok(allFinite(new Float32Array(7).fill(x)), String(x));
  assert.ok(allFinite(Float32Array.from(finite)));
  assert.ok(allFinite(new Float32Array(0)));
});
