import assert from "node:assert/strict";
import { flacRate, interleave, readWav, toMono } from "../../client/browser/sound_file.ts";
import { wav } from "../../web/files.ts";
import { wav as madeWav } from "../support/server.ts";

Deno.test("readWav() reads wav()'s and integers as the server does, and no other file", () => {
  const written = wav([Float32Array.of(1, 2), Float32Array.of(3)], { sampleRate: 44_100 });
  assert.deepEqual(readWav(written.buffer), {
    sampleRate: 44_100,
    channels: [Float32Array.of(1, 2, 3)],
  });
  const stereo = madeWav([0.5, -0.25, -1, -0.5], {
    rate: 8_000,
    channels: 2,
    extensible: true,
    claimed: 0xffffffff,
  });
  assert.deepEqual(readWav(stereo.buffer), {
    sampleRate: 8_000,
    channels: [Float32Array.of(0.5, -1), Float32Array.of(-0.25, -0.5)],
  });
  assert.equal(readWav(madeWav([0, 0], { bits: 24 }).buffer), undefined);
  for (let length = 0; length < 44; length++) {
    assert.equal(readWav(written.buffer.slice(0, length)), undefined);
  }
});

Deno.test("toMono() averages, interleave() keeps both; readWav() reads wav()'s channels", () => {
  const channels = [Float32Array.of(0.5, -1), Float32Array.of(-0.25, -0.5)];
  assert.deepEqual(toMono(channels), Float32Array.of(0.125, -0.75));
  assert.deepEqual(toMono(channels.slice(1)), channels[1]);
  const samples = interleave(channels);
  assert.deepEqual(samples, Float32Array.of(0.5, -0.25, -1, -0.5));
  const file = wav([samples.subarray(0, 2), samples.subarray(2)], {
    sampleRate: 8_000,
    channels: 2,
  });
  assert.deepEqual(readWav(file.buffer), { sampleRate: 8_000, channels });
});

Deno.test("flacRate() reads the rate of a FLAC file", () => {
  const flac = new Uint8Array(64);
  flac.set([0x66, 0x4c, 0x61, 0x43, 0, 0, 0, 34]);
  flac.set([96_000 >> 12, 96_000 >> 4 & 255, (96_000 & 15) << 4], 18);
  assert.equal(flacRate(flac.buffer), 96_000);
  assert.equal(flacRate(new ArrayBuffer(100)), undefined);
  assert.equal(flacRate(new ArrayBuffer(3)), undefined);
});
