import assert from "node:assert/strict";
import {
  type AudioKind,
  decodeAll,
  decodeAudio,
  decoders,
  measureAudio,
} from "../../audio/decode.ts";
import { CpcError, type ErrorCode } from "../../errors.ts";
import { fixture, withPages } from "./files.ts";
import { flac, silentFlac } from "./flac_writer.ts";
import { concat, decibels, noise } from "./signals.ts";
import { encode, joined, text, wavFile } from "./wav_writer.ts";

/** The clip that the fixtures hold, as floats. */
const CLIP = Float32Array.from(
  new Int16Array(fixture("../speech/italian_short.wav").slice(44).buffer).subarray(0, 12_001),
  (x) => x / 32768,
);

function decodeTest(name: string, run: () => Promise<void>): void {
  Deno.test(name, async () => {
    try {
      await run();
    } finally {
      decoders.close();
    }
  });
}

function fails(code: ErrorCode, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof CpcError, String(error));
    assert.deepEqual([error.code, message.test(error.message)], [code, true], error.message);
    return true;
  };
}

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

const FILES = [
  "speech.flac",
  "flac.ogg",
  "left_24bit.flac",
  "mono.opus",
  "stereo.opus",
  "stereo.mp3",
  "no_info.mp3",
  "vorbis.ogg",
];

decodeTest(
  "decodeAudio() gives the same however the bytes arrive, for many files at once",
  async () => {
    await Promise.all(FILES.map(async (name, i) => {
      const bytes = fixture(name);
      async function* pieces() {
        for (let at = 0, n = 1; at < bytes.length; at += n, n = (n * 7 + i) % 997 + 1) {
          yield await Promise.resolve(bytes.subarray(at, at + n));
        }
      }
      const whole = await decodeAll(bytes);
      const decoded = decodeAudio(pieces());
      assert.deepEqual(concat(await Array.fromAsync(decoded)), whole.samples, name);
      assert.equal(decoded.info?.kind, whole.kind, "the info is there after the first chunk");
    }));
  },
);

decodeTest("measureAudio() tells what decodeAll() will give", async () => {
  for (const name of FILES) {
    const { samples, kind, channels } = await decodeAll(fixture(name));
    const summary = await measureAudio(fixture(name));
    assert.deepEqual([summary.samples, summary.kind, summary.channels], [
      samples.length,
      kind,
      channels,
    ]);
  }
  await assert.rejects(
    measureAudio(fixture("speech.flac").subarray(0, 20_000)),
    fails("invalid_audio", /truncated/),
  );
});

decodeTest("decodeAudio() yields chunks of a second, whatever the file's rate", async () => {
  const file = wavFile(encode(noise(2 * 44_100 * 3 + 20), "s16le"), {
    sampleRate: 44_100,
    channels: 2,
  });
  const lengths = (await Array.fromAsync(decodeAudio(file))).map((chunk) => chunk.length);
  assert.deepEqual(lengths, [16_000, 16_000, 16_000, 4]);
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

decodeTest(
  "measureAudio() tells what the header states, then what it decodes, and stops when told",
  async () => {
    const file = silentFlac({ channels: 8, frames: 40, rate: 655_350 });
    assert.ok(file.length < 2000);
    const samples = 40 * 65_535 * 8;
    const stated: number[] = [];
    const decoded: number[] = [];
    const summary = await measureAudio(file, {
      onStated: ({ samples }) => stated.push(samples),
      onDecoded: ({ samples }) => decoded.push(samples),
    });
    assert.equal(summary.seconds, 4);
    assert.deepEqual(stated, [samples]);
    assert.equal(decoded.reduce((a, b) => a + b), samples);
    assert.ok(decoded.length > 2);
    decoded.length = 0;
    const stopped = measureAudio(file, {
      onDecoded({ samples }) {
        decoded.push(samples);
        throw new RangeError("enough");
      },
    });
    await assert.rejects(stopped, RangeError);
    assert.equal(decoded.length, 1);
  },
);

decodeTest("decodeAll() refuses FLAC and Ogg files that are cut anywhere", async () => {
  for (const name of ["speech.flac", "flac.ogg", "mono.opus", "vorbis.ogg"]) {
    const bytes = fixture(name);
    const cuts = [4, 20, 27, 30, 45, 100, 0.2, 0.4, 0.6, 0.8, 0.95].map((at) =>
      at < 1 ? Math.floor(at * bytes.length) : at
    );
    for (const at of [...cuts, bytes.length - 1]) {
      await assert.rejects(
        decodeAll(bytes.subarray(0, at)),
        fails("invalid_audio", /truncated/),
        `${name} at ${at}`,
      );
    }
  }
});

decodeTest(
  "decodeAll() refuses MP3 that ends inside a frame, or before the end that its info tells",
  async () => {
    const plain = fixture("no_info.mp3");
    for (const bytes of [plain.subarray(0, plain.length - 10), plain.subarray(0, 100)]) {
      await assert.rejects(
        decodeAll(bytes),
        fails("invalid_audio", /truncated: it ends \d+ bytes before/),
      );
    }
    const told = fixture("stereo.mp3");
    const frame = 209; // at 64 kbit/s and 44.1 kHz, at least
    for (const missing of [1, frame, 2 * frame, Math.floor(told.length / 2)]) {
      const where = new RegExp(`it ends ${missing} bytes before`);
      await assert.rejects(
        decodeAll(told.subarray(0, told.length - missing)),
        fails("invalid_audio", where),
      );
    }
    await decodeAll(joined([told, new Uint8Array(50)])); // what follows is no frame
  },
);

decodeTest(
  "decodeAll() refuses damage that checksums tell: FLAC frames and Ogg pages",
  async () => {
    for (const name of ["speech.flac", "flac.ogg", "mono.opus", "vorbis.ogg"]) {
      for (const at of [0.5, 0.7, 0.9]) {
        const bytes = fixture(name);
        bytes[Math.floor(at * bytes.length)] ^= 0x10;
        await assert.rejects(
          decodeAll(bytes),
          fails("invalid_audio", /cannot be decoded/),
          `${name} at ${at}`,
        );
      }
    }
  },
);

decodeTest("decodeAll() refuses Ogg without one of its pages", async () => {
  const pages: Uint8Array[] = [];
  withPages(fixture("flac.ogg"), (page) => pages.push(page.slice()));
  await assert.rejects(
    decodeAll(joined(pages.toSpliced(1, 1))),
    fails("invalid_audio", /a page is missing/),
  );
  await assert.rejects(
    decodeAll(joined([...pages, ...pages])),
    fails("unsupported_audio", /one after the other/),
  );
});

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

decodeTest(
  "decodeAll() refuses unknown kinds with the kinds it knows and the bytes it saw",
  async () => {
    for (
      const [bytes, shown] of [[text("hello, world"), "68 65 6c 6c 6f"], [
        new Uint8Array(9_000),
        "00 00 00",
      ], [
        text("OggS".padEnd(99)),
        "4f 67",
      ]]
    ) {
      const known = "wav, flac, ogg-flac, ogg-opus, ogg-vorbis, mp3";
      await assert.rejects(
        decodeAll(bytes as Uint8Array),
        fails("unsupported_audio", new RegExp(`${shown}.*known kinds are ${known}`)),
      );
    }
  },
);

decodeTest("decodeAll() refuses an empty file, and kinds without samples", async () => {
  await assert.rejects(decodeAll(new Uint8Array(0)), fails("invalid_audio", /empty/));
  await assert.rejects(decodeAll(wavFile(new Uint8Array(0))), fails("invalid_audio", /no samples/));
});

decodeTest(
  "decodeAudio() refuses more than maxSeconds, by the header or once reached, without end if need be",
  async () => {
    await assert.rejects(
      decodeAll(fixture("speech.flac"), { maxSeconds: 0.75 }),
      fails("too_large", /longer than the limit of 0.75 s/),
    );
    assert.equal(
      (await decodeAll(fixture("speech.flac"), { maxSeconds: 0.751 })).samples.length,
      12_001,
    );
    let closed = false;
    async function* endless() {
      try {
        yield wavFile(new Uint8Array(0), { dataSize: 0, sampleRate: 8_000 });
        for (;;) yield await Promise.resolve(new Uint8Array(100_000));
      } finally {
        closed = true;
      }
    }
    let seconds = 0;
    await assert.rejects(async () => {
      for await (const chunk of decodeAudio(endless(), { maxSeconds: 30 })) {
        seconds += chunk.length / 16_000;
      }
    }, fails("too_large", /longer than the limit of 30 s/));
    assert.deepEqual([seconds, closed], [30, true]);
  },
);

decodeTest(
  "decodeAudio() reads no further ahead than it must, and lets go of its source",
  async () => {
    let pieces = 0;
    let closed = false;
    async function* source() {
      try {
        yield wavFile(new Uint8Array(0), { dataSize: 0 });
        for (;; pieces++) yield await Promise.resolve(new Uint8Array(32_000));
      } finally {
        closed = true;
      }
    }
    for await (const _ of decodeAudio(source())) break;
    assert.ok(pieces <= 5, `${pieces} seconds read for one`);
    assert.ok(closed);
  },
);

decodeTest(
  "decodeAudio() passes on what its source throws, and the reason of its signal",
  async () => {
    async function* broken() {
      yield await Promise.resolve(fixture("speech.flac").subarray(0, 10_000));
      throw new TypeError("the line is dead");
    }
    await assert.rejects(decodeAll(broken()), new TypeError("the line is dead"));
    const controller = new AbortController();
    const chunks = decodeAudio(wavFile(new Uint8Array(320_000)), { signal: controller.signal })
      [Symbol.asyncIterator]();
    assert.equal((await chunks.next()).value.length, 16_000);
    controller.abort(new RangeError("enough"));
    await assert.rejects(chunks.next(), new RangeError("enough"));
    await assert.rejects(
      decodeAll(fixture("speech.flac"), { signal: controller.signal }),
      new RangeError("enough"),
    );
  },
);

decodeTest("decodeAudio() ends at its signal while the source says nothing", async () => {
  const controller = new AbortController();
  async function* silent() {
    yield wavFile(new Uint8Array(0), { dataSize: 0 });
    controller.abort(new RangeError("gone"));
    await new Promise(() => {});
  }
  await assert.rejects(decodeAll(silent(), { signal: controller.signal }), new RangeError("gone"));
});

decodeTest(
  "decoders.close() fails what is being decoded; the next file is decoded anew",
  async () => {
    const chunks = decodeAudio(wavFile(new Uint8Array(3_200_000)))[Symbol.asyncIterator]();
    await chunks.next();
    decoders.close();
    await assert.rejects(
      Array.fromAsync({ [Symbol.asyncIterator]: () => chunks }),
      fails("internal", /were closed/),
    );
    assert.deepEqual((await decodeAll(fixture("speech.flac"))).samples, CLIP);
  },
);

decodeTest("decodeAll() ends with samples or a CpcError whatever bytes are changed", async () => {
  const random = noise(20_000, 5);
  let next = 0;
  const below = (bound: number) => Math.floor((random[next++ % random.length] + 1) / 2 * bound);
  for (const name of FILES) {
    for (let round = 0; round < 9; round++) {
      const bytes = fixture(name);
      for (let changes = 1 + below(round % 2 ? 3 : 50); changes > 0; changes--) {
        bytes[below(bytes.length)] = below(256);
      }
      // right checksums around wrong data
      const mended = round % 3 === 0 && name.match(/opus|ogg/) ? withPages(bytes, () => {}) : bytes;
      await decodeAll(mended, { maxSeconds: 60 }).catch((error) => {
        assert.ok(
          error instanceof CpcError && error.code !== "internal",
          `${name}: ${error.stack}`,
        );
      });
    }
  }
});
