import assert from "node:assert/strict";
import { channelOf, ChannelResampler, interleave } from "../../audio/channels.ts";
import { decodeAudio, decoders } from "../../audio/decode.ts";
import { joinChunks } from "../../audio/rechunk.ts";
import { StreamingResampler } from "../../audio/resample.ts";
import { random } from "../support/stream.ts";
import { fixture } from "./files.ts";
import { encode, wavFile } from "./wav_writer.ts";

function noise(length: number, seed: number): Float32Array<ArrayBuffer> {
  const next = random(seed);
  return Float32Array.from({ length }, () => Math.floor((next() - 0.5) * 2 ** 16) / 2 ** 16);
}

async function decoded(file: Uint8Array, split: boolean) {
  const audio = decodeAudio(file, { split });
  const samples = joinChunks(await Array.fromAsync(audio));
  return { samples, channels: split ? audio.info!.channels : 1 };
}

Deno.test("decodeAudio() with split gives every channel; their mean is the rest", async () => {
  const wavOf = (channels: number, sampleRate: number) =>
    wavFile(encode(noise(channels * 40_000, channels), "f32le"), {
      encoding: "f32le",
      channels,
      sampleRate,
    });
  const files = {
    "left_24bit.flac": fixture("left_24bit.flac"),
    "stereo.mp3": fixture("stereo.mp3"),
    "stereo.opus": fixture("stereo.opus"),
    "vorbis.ogg": fixture("vorbis.ogg"),
    "mono.opus": fixture("mono.opus"),
    "speech.flac": fixture("speech.flac"),
    "two.wav": wavOf(2, 16_000),
    "five.wav": wavOf(5, 44_100),
  };
  try {
    for (const [name, file] of Object.entries(files)) {
      const { samples: mono } = await decoded(file, false);
      const { samples, channels } = await decoded(file, true);
      assert.equal(samples.length, channels * mono.length, name);
      for (let i = 0; i < mono.length; i++) {
        let sum = 0;
        for (let c = 0; c < channels; c++) sum += samples[channels * i + c];
        assert.ok(Math.abs(sum / channels - mono[i]) <= 1e-6, `${name}: sample ${i}`);
      }
    }
    const { samples } = await decoded(files["left_24bit.flac"], true);
    const [left, right] = [0, 1].map((channel) => channelOf(samples, { channels: 2, channel }));
    assert.deepEqual(left, (await decoded(files["speech.flac"], false)).samples);
    assert.ok(right.every((x) => x === 0));
  } finally {
    decoders.close();
  }
});

Deno.test("ChannelResampler gives each channel what its own resampler gives, however cut", () => {
  for (const fromRate of [8_000, 16_000, 44_100]) {
    const signals = [1, 2, 3].map((seed) => noise(5_000, seed));
    const resampler = new ChannelResampler({ channels: 3, fromRate, toRate: 16_000 });
    const whole = interleave(signals);
    const parts: Float32Array[] = [];
    for (let at = 0, n = 1; at < whole.length; at += 3 * n, n = n * 5 % 1_013 + 1) {
      const restored = new ChannelResampler({ channels: 3, fromRate, toRate: 16_000 });
      restored.restore(resampler.snapshot());
      const chunk = whole.slice(at, at + 3 * n);
      parts.push(resampler.push(chunk.slice()));
      assert.deepEqual(restored.push(chunk), parts.at(-1));
    }
    parts.push(resampler.flush());
    const samples = joinChunks(parts);
    for (const [channel, signal] of signals.entries()) {
      const alone = new StreamingResampler({ fromRate });
      assert.deepEqual(
        channelOf(samples, { channels: 3, channel }),
        joinChunks([alone.push(signal), alone.flush()]),
      );
    }
    assert.throws(
      () => resampler.restore(resampler.snapshot().slice(1)),
      { message: "a snapshot of 2 channels cannot continue 3" },
    );
  }
});
