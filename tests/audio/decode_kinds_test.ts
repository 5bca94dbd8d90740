import assert from "node:assert/strict";
import { type AudioKind, decodeAll } from "../../audio/decode.ts";
import { fixture, withPages } from "./files.ts";
import { flac, silentFlac } from "./flac_writer.ts";
import { decibels } from "./signals.ts";
import { joined, text } from "./wav_writer.ts";
import { CLIP, decodeTest, fails } from "./decoding.ts";

decodeTest(
  "decodeAll() gives FLAC sample for sample, native and in Ogg, 16 and 24 bits",
  async () => {
    for (const [name, kind] of [["speech.flac", "flac"], ["flac.ogg", "ogg-flac"]] as const) {
      const decoded = await decodeAll(fixture(name));
      assert.deepEqual([decoded.kind, decoded.sampleRate, decoded.channels, decoded.seconds], [
        kind,
        16_000,
        1,
        12_001 / 16_000,
      ]);
      assert.deepEqual(decoded.samples, CLIP);
    }
    const left = await decodeAll(fixture("left_24bit.flac"));
    assert.equal(left.channels, 2);
    assert.deepEqual(left.samples, CLIP.map((x) => x / 2));
  },
);

const LOSSY: [
  name: string,
  kind: AudioKind,
  sampleRate: number,
  channels: number,
  samples: number,
  lag: number,
][] = [
  // ffmpeg's own decoder runs a sample ahead of libopus in SILK stereo; libopus keeps the clip's
  // time
  ["stereo.opus", "ogg-opus", 48_000, 2, 12_001, 1],
  ["stereo.mp3", "mp3", 44_100, 2, 12_002, 0],
  ["vorbis.ogg", "ogg-vorbis", 22_050, 1, 12_002, 0],
];
for (const [name, kind, sampleRate, channels, samples, lag] of LOSSY) {
  decodeTest(`decodeAll() of ${name} has the exact length, and what ffmpeg decodes`, async () => {
    const decoded = await decodeAll(fixture(name));
    assert.deepEqual([decoded.kind, decoded.sampleRate, decoded.channels, decoded.samples.length], [
      kind,
      sampleRate,
      channels,
      samples,
    ]);
    const expected = (await decodeAll(fixture(`expected_${name}.flac.ogg`))).samples.subarray(
      0,
      12_000,
    );
    const error = decibels(expected.map((x, i) => x - decoded.samples[i + lag]), expected);
    assert.ok(error < -30, `differs by ${error} dB`); // the resamplers' edges at 7 to 8 kHz differ
  });
}

decodeTest("decodeAll() of MP3 without info keeps every frame", async () => {
  const { samples, channels } = await decodeAll(fixture("no_info.mp3"));
  assert.deepEqual([samples.length, channels], [23 * 576, 1]);
});

decodeTest(
  "decodeAll() of Opus trims by pre-skip and last position, whatever they are modulo 3",
  async () => {
    const preSkip = 312;
    for (const [more, less] of [[0, 0], [1, 0], [2, 0], [0, 1], [0, 2], [1, 1], [600, 900]]) {
      const file = withPages(fixture("mono.opus"), (page, view, last) => {
        if (page[5] & 2) view.setUint16(28 + 10, preSkip + more, true);
        if (last) view.setBigInt64(6, BigInt(36_003 + preSkip - less), true);
      });
      const { samples } = await decodeAll(file);
      assert.equal(
        samples.length,
        Math.ceil((36_003 - more - less) / 3),
        `${more} skipped more, ${less} cut`,
      );
    }
    const beyond = withPages(
      fixture("mono.opus"),
      (_, view, last) => last && view.setBigInt64(6, 99_999n, true),
    );
    await assert.rejects(
      decodeAll(beyond),
      fails("invalid_audio", /truncated: it ends \d+ samples/),
    );
  },
);

decodeTest("decodeAll() of Opus applies the gain of its head", async () => {
  const quiet = withPages(
    fixture("mono.opus"),
    (page, view) => page[5] & 2 && view.setInt16(28 + 16, -6 * 256, true),
  );
  const [plain, lowered] = await Promise.all([decodeAll(fixture("mono.opus")), decodeAll(quiet)]);
  assert.ok(Math.abs(decibels(lowered.samples, plain.samples) + 6) < 0.001);
});

decodeTest(
  "decodeAll() takes FLAC frames that leave rate and sample size to STREAMINFO",
  async () => {
    for (const [bits, sizeCode] of [[8, 1], [16, 4], [24, 6]]) {
      const full = 2 ** (bits - 1);
      const integers = Int32Array.from(
        { length: 2500 },
        (_, i) => i === 0 ? -full : Math.round(Math.sin(i / 7) * (full - 1)),
      );
      const expected = Float32Array.from(integers, (x) => x / full);
      for (const [rateCode, code] of [[0, 0], [0, sizeCode], [5, sizeCode]]) {
        const file = flac([integers], { bits, rateCode, sizeCode: code });
        const { samples, sampleRate } = await decodeAll(file);
        assert.deepEqual([samples, sampleRate], [expected, 16_000], `${bits} bits`);
      }
    }
    for (const bits of [10, 12, 20]) {
      const file = flac([new Int32Array(100)], { bits });
      await assert.rejects(decodeAll(file), fails("unsupported_audio", /samples of \d+ bits/));
    }
    const { samples } = await decodeAll(silentFlac({ channels: 2, frames: 2, rate: 32_000 }));
    assert.equal(samples.length, 65_535);
  },
);

decodeTest("decodeAll() of MP3 ends with its frames, whatever follows them", async () => {
  for (const name of ["no_info.mp3", "stereo.mp3"]) {
    const { samples } = await decodeAll(fixture(name));
    for (const trailer of [new Uint8Array(3), new Uint8Array(5000), apeTag(5000)]) {
      const followed = await decodeAll(joined([fixture(name), trailer]));
      assert.deepEqual(followed.samples, samples, `${name} and ${trailer.length} bytes`);
    }
  }
});

/** An APEv2 tag of one item, whose text has so many bytes. */
function apeTag(bytes: number): Uint8Array {
  const u32s = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);
  const item = joined([u32s(bytes, 0), text("Comment\0"), new Uint8Array(bytes).fill(0x61)]);
  const end = (flags: number) =>
    joined([text("APETAGEX"), u32s(2000, item.length + 32, 1, flags, 0, 0)]);
  return joined([end(0xa0000000), item, end(0x80000000)]);
}

decodeTest("decodeAll() passes over ID3 tags before and after", async () => {
  const tag = joined([
    text("ID3"),
    Uint8Array.of(4, 0, 0, 0, 0, 2, 3),
    new Uint8Array(2 * 128 + 3),
  ]);
  const trailer = joined([text("TAG"), new Uint8Array(125)]);
  const expected = await decodeAll(fixture("no_info.mp3"));
  assert.deepEqual(
    (await decodeAll(joined([tag, fixture("no_info.mp3"), trailer]))).samples,
    expected.samples,
  );
  assert.deepEqual((await decodeAll(joined([tag, fixture("speech.flac"), trailer]))).samples, CLIP);
  await assert.rejects(
    decodeAll(tag),
    fails("invalid_audio", /ends in or right after its ID3 tag/),
  );
});
