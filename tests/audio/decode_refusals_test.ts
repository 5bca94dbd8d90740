import assert from "node:assert/strict";
import { decodeAll } from "../../audio/decode.ts";
import { CpcError } from "../../errors.ts";
import { fixture, withPages } from "./files.ts";
import { noise } from "./signals.ts";
import { joined, text, wavFile } from "./wav_writer.ts";
import { decodeTest, fails, FILES } from "./decoding.ts";

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

decodeTest("decodeAll() refuses MP3 whose frames do not join", async () => {
  const plain = fixture("no_info.mp3");
  const frame = 10 * 144; // its frames have 144 bytes each
  for (const change of [1, 200, 1000]) { // bytes: of a header, of a frame and the next header, of several frames
    const bytes = plain.slice();
    bytes.fill(0x5a, frame, frame + change);
    const message = new RegExp(`cannot be decoded: no frame begins at byte ${frame},`);
    await assert.rejects(decodeAll(bytes), fails("invalid_audio", message), `${change} bytes`);
  }
  const without = joined([plain.subarray(0, frame + 50), plain.subarray(frame + 90)]);
  await assert.rejects(decodeAll(without), fails("invalid_audio", /no frame begins at byte/));
  const whole = await decodeAll(plain);
  const tag = joined([text("ID3"), new Uint8Array(7)]);
  const twice = await decodeAll(joined([plain, tag, plain]));
  assert.ok(twice.samples.length > whole.samples.length, "files joined with their tags are whole");
});

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
