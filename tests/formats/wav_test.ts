import assert from "node:assert/strict";
import { decodeStream } from "../../audio/decode_stream.ts";
import { wavOf } from "../../formats/wav.ts";

Deno.test("wavOf() writes what our own reader reads, and clips what is too loud", async () => {
  const samples = Float32Array.of(0, 0.5, -0.25, 1.5, -2, 1 / 32_768);
  const chunks: Float32Array[] = [];
  const file = wavOf(samples, { sampleRate: 16_000 });
  for await (const chunk of decodeStream(once(file), {})) {
    chunks.push(chunk.slice());
  }
  assert.deepEqual(chunks.flatMap((chunk) => [...chunk]), [
    0,
    0.5,
    -0.25,
    32_767 / 32_768,
    -1,
    1 / 32_768,
  ]);
});

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
