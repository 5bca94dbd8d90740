import assert from "node:assert/strict";
import { decodeAll, decoders } from "../../audio/decode.ts";
import { poolModels } from "../../inference/models.ts";
import { openClips } from "../../recordings/clips.ts";
import { keepClip, keptSecondsOf } from "../../recordings/kept_clip.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";

const model = poolModels([randomWeights(tinyConfig, 1, "tiny")]).get("tiny")!;
const speech = await Deno.readFile(
  new URL("../fixtures/speech/russian.wav", import.meta.url).pathname,
);

Deno.test("keepClip() gives what openClips() gives, any number of times", async () => {
  try {
    const [opened] = await openClips([speech], { model });
    const { samples } = await decodeAll(speech);
    for (const keptSeconds of [1, 60]) {
      const clip = await keepClip(speech, { model, keptSeconds });
      for (const name of ["frames", "samples", "seconds"] as const) {
        assert.equal(clip[name], opened![name], name);
      }
      for (let time = 0; time < 2; time++) {
        const chunks = await Array.fromAsync(clip.read());
        assert.deepEqual(chunks.flatMap((chunk) => [...chunk]), [...samples]);
        for (const chunk of chunks) chunk.fill(0); // its reader may do what it likes
      }
    }
  } finally {
    decoders.close();
  }
});

Deno.test("keptSecondsOf() keeps an hour of one recording, less of each of several", () => {
  const bytesOfSecond = 4 * 16_000;
  assert.ok(keptSecondsOf(1) >= 3600);
  for (const recordings of [1, 2, 16]) {
    assert.ok(recordings * keptSecondsOf(recordings) * bytesOfSecond <= 256e6);
  }
  assert.equal(keptSecondsOf(1000), 120);
});

Deno.test("keepClip() refuses what openClips() refuses", async () => {
  try {
    await assert.rejects(keepClip(speech.subarray(0, 999), { model }), { code: "invalid_audio" });
    const short = speech.slice(0, 44 + 20);
    new DataView(short.buffer).setUint32(40, 20, true);
    await assert.rejects(keepClip(short, { model }), { code: "audio_too_short" });
  } finally {
    decoders.close();
  }
});
