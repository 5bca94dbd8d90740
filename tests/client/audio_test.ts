import assert from "node:assert/strict";
import { encodeAudio } from "../../client/audio.ts";

Deno.test("encodeAudio() clips floats to 16 bits, scales integers to floats, copies", () => {
  const words = new Int16Array(encodeAudio(Float32Array.of(0, 0.5, 1, -1, 2), "s16le").buffer);
  assert.deepEqual([...words], [0, 16384, 32767, -32768, 32767]);
  assert.deepEqual(
    [...new Float32Array(encodeAudio(Int16Array.of(-32768, 16384), "f32le").buffer)],
    [-1, 0.5],
  );
  const bytes = Uint8Array.of(1, 2);
  const copy = encodeAudio(bytes, "mulaw");
  bytes[0] = 9;
  assert.deepEqual([...copy], [1, 2]);
  assert.throws(() => encodeAudio(new Float32Array(1), "alaw"), TypeError);
});
