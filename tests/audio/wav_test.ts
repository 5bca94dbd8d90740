import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeStream } from "../../audio/decode_stream.ts";
import { CpcError, type ErrorCode } from "../../errors.ts";
import { concat, cut } from "./signals.ts";
import { ds64, encode, joined, text, wavFile, type WavOptions } from "./wav_writer.ts";

// Multiples of 1/128, so that every encoding holds them exactly.
const FLOATS = [0, 0.5, -1, 127 / 128, -0.25, 1 / 128, 0.125];

async function decode(
  bytes: Uint8Array,
  pieces: readonly Uint8Array[] = [bytes],
): Promise<Float32Array> {
  async function* source() {
    yield* pieces;
  }
  return concat(await Array.fromAsync(decodeStream(source(), {})));
}

async function refused(
  bytes: Uint8Array,
  why: RegExp,
  code: ErrorCode = "invalid_audio",
): Promise<void> {
  await assert.rejects(decode(bytes), (error: unknown) => {
    assert.ok(error instanceof CpcError, String(error));
    assert.deepEqual([error.code, why.test(error.message)], [code, true], error.message);
    return true;
  });
}

for (const encoding of ["u8", "s16le", "s24le", "s32le", "f32le", "f64le"] as const) {
  for (const extensible of [false, true]) {
    Deno.test(`WAV ${encoding}${extensible ? " extensible" : ""} decodes exactly`, async () => {
      assert.deepEqual([
        ...await decode(wavFile(encode(FLOATS, encoding), { encoding, extensible })),
      ], FLOATS);
      for (const channels of [2, 3, 8, 24]) {
        const interleaved = FLOATS.flatMap((x) =>
          Array.from({ length: channels }, (_, c) => c === 0 ? x : 0)
        );
        const got = await decode(
          wavFile(encode(interleaved, encoding), { encoding, extensible, channels }),
        );
        assert.deepEqual([...got], FLOATS.map((x) => Math.fround(x / channels)));
      }
    });
  }
}

Deno.test("WAV µ-law and A-law decode by their tables", async () => {
  const codes = Uint8Array.of(0, 127, 128, 255);
  assert.deepEqual(
    [...await decode(wavFile(codes, { encoding: "mulaw" }))],
    [-32124, 0, 32124, 0].map((x) => x / 32768),
  );
  assert.deepEqual(
    [...await decode(wavFile(codes, { encoding: "alaw" }))],
    [-5504, -848, 5504, 848].map((x) => x / 32768),
  );
});

Deno.test("WAV chunks of odd and even length are skipped wherever they stand", async () => {
  const chunks: [string, Uint8Array][] = [["LIST", text("INFOIART")], ["junk", text("odd")], [
    "bext",
    new Uint8Array(70_001),
  ]];
  const file = wavFile(encode(FLOATS, "s16le"), { before: chunks, after: chunks });
  assert.deepEqual([...await decode(file)], FLOATS);
});

Deno.test("WAV decodes the same however its bytes arrive", async () => {
  const file = wavFile(encode(FLOATS, "s24le"), {
    encoding: "s24le",
    before: [["LIST", text("abc")]],
  });
  await fc.assert(fc.asyncProperty(fc.array(fc.nat(), { maxLength: 30 }), async (cuts) => {
    assert.deepEqual([...await decode(file, cut(file, cuts))], FLOATS);
  }));
});

Deno.test("WAV of an unknown data size, as pipes write it, is read to its end", async () => {
  for (const dataSize of [0, 0xffffffff, 0x7ffff000]) {
    const file = wavFile(encode(FLOATS, "s16le"), { dataSize });
    assert.deepEqual([...await decode(file)], FLOATS);
    assert.deepEqual(
      [...await decode(joined([file, Uint8Array.of(1)]))],
      FLOATS,
      "half a sample at the end is dropped",
    );
  }
});

Deno.test("RF64 takes the data's length from its ds64 chunk", async () => {
  const data = encode(FLOATS, "s16le");
  const options: WavOptions = {
    form: "RF64",
    dataSize: 0xffffffff,
    after: [["LIST", text("INFO")]],
  };
  assert.deepEqual([
    ...await decode(wavFile(data, { ...options, before: [["ds64", ds64(data.length)]] })),
  ], FLOATS);
  await refused(
    wavFile(data, { ...options, before: [["ds64", ds64(1_000)]] }),
    /26 bytes into the 1000/,
  );
});

Deno.test("WAV cut anywhere is refused as truncated", async () => {
  const file = wavFile(encode(FLOATS, "s16le"), { before: [["LIST", text("abc")]] });
  for (let length = 1; length < file.length; length++) {
    if (length < 12 && length > 4) continue; // the form type is cut: no WAV yet
    await refused(file.subarray(0, length), /truncated/);
  }
});

Deno.test("WAV headers that cannot be are refused by what is wrong", async () => {
  const data = encode(FLOATS, "s16le");
  await refused(wavFile(data, { channels: 0, blockAlign: 2 }), /zero channels/);
  await refused(wavFile(data, { sampleRate: 0 }), /sample rate is 0/);
  await refused(wavFile(data, { sampleRate: 900 }), /900 Hz; rates from 1000 to 768000/);
  await refused(
    wavFile(data, { blockAlign: 4 }),
    /block align is 4, but 1 channels of 16 bits take 2/,
  );
  await refused(wavFile(data, { skip: "fmt " }), /data comes before any fmt/);
  await refused(wavFile(data, { skip: "data" }), /before its data chunk/);
  await refused(wavFile(new Uint8Array(0)), /holds no samples/);
  await refused(wavFile(data, { form: "RIFX" }), /unknown kind/, "unsupported_audio");
  const adpcm = wavFile(data);
  adpcm[20] = 2;
  await refused(adpcm, /format tag 2 with 16 bits/, "unsupported_audio");
});

Deno.test("WAV floats that are no numbers are refused by their index", async () => {
  const floats = new Float32Array(40_000);
  floats[33_333] = NaN;
  await refused(wavFile(encode(floats, "f32le"), { encoding: "f32le" }), /sample 33333 is NaN/);
  await refused(
    wavFile(encode([0, 1e300], "f64le"), { encoding: "f64le" }),
    /sample 1 is Infinity/,
  );
});
