import assert from "node:assert/strict";
import { decodeAll, decodeAudio, decoders, measureAudio } from "../../audio/decode.ts";
import { fixture } from "./files.ts";
import { silentFlac } from "./flac_writer.ts";
import { concat, noise } from "./signals.ts";
import { encode, wavFile } from "./wav_writer.ts";
import { CLIP, decodeTest, fails, FILES } from "./decoding.ts";

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

decodeTest(
  "decodeAudio() refuses more than maxSeconds, by the header or once they are reached",
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
