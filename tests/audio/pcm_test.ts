import assert from "node:assert/strict";
import fc from "fast-check";
import { alawToS16, mulawToS16 } from "../../audio/g711.ts";
import { PCM_ENCODINGS, toMono } from "../../audio/pcm.ts";
import { PcmDecoder } from "../../audio/pcm_decoder.ts";
import { CpcError } from "../../errors.ts";
import { cut } from "./signals.ts";

Deno.test("toMono() scales each integer encoding by its full scale", () => {
  const cases = [
    ["u8", [0, 128, 255], [-1, 0, 127 / 128]],
    ["s16le", [0x00, 0x80, 0xff, 0x7f, 1, 0], [-1, 32767 / 32768, 1 / 32768]],
    ["s24le", [0, 0, 0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], [
      -1,
      -1 / 8388608,
      8388607 / 8388608,
    ]],
    ["s32le", [0, 0, 0, 0x80, 0, 0, 0, 0x40], [-1, 0.5]],
  ] as const;
  for (const [encoding, bytes, floats] of cases) {
    assert.deepEqual(
      [...toMono(Uint8Array.from(bytes), { encoding, channels: 1 })],
      [...floats],
      encoding,
    );
  }
});

Deno.test("toMono() takes floats as they are, beyond ±1 too", () => {
  const floats = new Float32Array([0.25, -3.5, 1e-30]);
  assert.deepEqual(
    toMono(new Uint8Array(floats.buffer), { encoding: "f32le", channels: 1 }),
    floats,
  );
  const doubles = new Float64Array([0.25, -3.5]);
  assert.deepEqual(
    [...toMono(new Uint8Array(doubles.buffer), { encoding: "f64le", channels: 1 })],
    [0.25, -3.5],
  );
});

Deno.test("mulawToS16() and alawToS16() follow G.711", () => {
  assert.deepEqual([0x00, 0x7f, 0x80, 0xff, 0x0f, 0xaa].map(mulawToS16), [
    -32124,
    0,
    32124,
    0,
    -16764,
    5372,
  ]);
  assert.deepEqual([0x00, 0x55, 0xd5, 0x2a, 0xaa, 0x80].map(alawToS16), [
    -5504,
    -8,
    8,
    -32256,
    32256,
    5504,
  ]);
});

Deno.test("PcmDecoder decodes what docs/protocol.md shows, byte by byte", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/protocol.md", import.meta.url));
  const rows = [...page.matchAll(/^\| `(\w+)` +\| `([0-9a-f ]+)` +\| ([-\d., ]+?) +\|$/gm)];
  assert.deepEqual(rows.map(([, encoding]) => encoding), [...PCM_ENCODINGS]);
  for (const [, name, hex, samples] of rows) {
    const encoding = PCM_ENCODINGS.find((encoding) => encoding === name)!;
    const bytes = Uint8Array.from(hex.split(" "), (byte) => parseInt(byte, 16));
    assert.deepEqual(
      [...new PcmDecoder({ encoding }).push(bytes)],
      samples.split(", ").map(Number),
      name,
    );
  }
});

Deno.test("PcmDecoder averages channels, or hears one of them", () => {
  const bytes = new Uint8Array(Int16Array.of(16384, -16384, 8192, 0, 32767, 1).buffer);
  const decode = (
    channel?: number,
  ) => [...new PcmDecoder({ encoding: "s16le", channels: 2, channel }).push(bytes)];
  assert.deepEqual(decode(), [0, 0.125, 0.5]);
  assert.deepEqual(decode(0), [0.5, 0.25, 32767 / 32768]);
  assert.deepEqual(decode(1), [-0.5, 0, 1 / 32768]);
});

Deno.test("PcmDecoder.push() gives the same samples however the bytes are cut", () => {
  const options = fc.record({
    encoding: fc.constantFrom(...PCM_ENCODINGS),
    channels: fc.integer({ min: 1, max: 8 }),
    integers: fc.array(fc.integer({ min: -128, max: 127 }), { maxLength: 200 }),
    cuts: fc.array(fc.nat(), { maxLength: 20 }),
  });
  fc.assert(fc.property(options, ({ encoding, channels, integers, cuts }) => {
    const bytes = encoding === "f32le"
      ? new Uint8Array(Float32Array.from(integers).buffer)
      : Uint8Array.from(integers);
    const whole = new PcmDecoder({ encoding, channels }).push(bytes);
    const decoder = new PcmDecoder({ encoding, channels });
    const pieces = cut(bytes, cuts).flatMap((piece) => [...decoder.push(piece)]);
    assert.deepEqual(pieces, [...whole]);
    assert.equal(decoder.samples, whole.length);
    assert.equal(decoder.pendingBytes, bytes.length % decoder.frameBytes);
  }));
});

Deno.test("PcmDecoder.snapshot() and restore() continue in the middle of a sample", () => {
  const bytes = new Uint8Array(Int16Array.from({ length: 30 }, (_, i) => 1000 * i).buffer);
  for (let at = 0; at <= bytes.length; at++) {
    const first = new PcmDecoder({ encoding: "s16le", channels: 3 });
    const head = first.push(bytes.subarray(0, at));
    const second = new PcmDecoder({ encoding: "s16le", channels: 3 });
    second.restore(structuredClone(first.snapshot()));
    const tail = second.push(bytes.subarray(at));
    assert.deepEqual([...head, ...tail], [
      ...new PcmDecoder({ encoding: "s16le", channels: 3 }).push(bytes),
    ]);
    assert.equal(second.samples, 10);
  }
});

Deno.test("PcmDecoder.reset() forgets half a sample and the count", () => {
  const decoder = new PcmDecoder({ encoding: "s16le" });
  decoder.push(Uint8Array.of(1, 2, 3));
  decoder.reset();
  assert.deepEqual([decoder.samples, decoder.pendingBytes], [0, 0]);
  assert.deepEqual([...decoder.push(Uint8Array.of(0, 0x40))], [0.5]);
});

Deno.test("PcmDecoder.push() refuses NaN in a channel that is not heard", () => {
  const bytes = new Uint8Array(Float32Array.of(0, 0.5, NaN, 0.5).buffer);
  const decoder = new PcmDecoder({ encoding: "f32le", channels: 2, channel: 1 });
  assert.throws(() => decoder.push(bytes), { code: "invalid_audio", message: /sample 1 is NaN/ });
});

Deno.test("PcmDecoder.push() refuses NaN and infinities by their index in the stream", () => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    const decoder = new PcmDecoder({ encoding: "f32le" });
    decoder.push(new Uint8Array(new Float32Array(5).buffer));
    assert.throws(
      () => decoder.push(new Uint8Array(Float32Array.of(0, 1, bad).buffer)),
      (error: unknown) =>
        error instanceof CpcError && error.code === "invalid_audio" &&
        error.message.startsWith("sample 7 is"),
    );
  }
});

Deno.test("PcmDecoder refuses an encoding, a channel count and a channel that do not exist", () => {
  const refused = (param: string) => (error: unknown) =>
    error instanceof CpcError && error.code === "invalid_option" && error.param === param;
  assert.throws(() => new PcmDecoder({ encoding: "s8" as "s16le" }), refused("encoding"));
  for (const channels of [0, 9, 1.5]) {
    assert.throws(() => new PcmDecoder({ encoding: "alaw", channels }), refused("channels"));
  }
  for (const channel of [-1, 2]) {
    assert.throws(
      () => new PcmDecoder({ encoding: "alaw", channels: 2, channel }),
      refused("channel"),
    );
  }
});
