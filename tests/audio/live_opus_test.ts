import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../audio/byte_reader.ts";
import { decodeStream } from "../../audio/decode_stream.ts";
import { decodeLive, type LiveOptions } from "../../audio/live_opus.ts";
import { oggPages } from "../../audio/ogg.ts";
import { CpcError } from "../../errors.ts";
import { OpusTrack, plainHead } from "../../audio/opus_track.ts";
import { fixture, opusPackets, withPages } from "./files.ts";
import { concat, cut } from "./signals.ts";
import { joined } from "./wav_writer.ts";

console.error = () => {}; // the decoder prints what it reports anyway

async function* messagesOf(bytes: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* bytes;
}

async function decoded(
  messages: readonly Uint8Array[],
  options: Pick<LiveOptions, "encoding"> & Partial<LiveOptions>,
): Promise<Float32Array<ArrayBuffer>> {
  const how = { channels: 1, split: false, ...options };
  return concat(await Array.fromAsync(decodeLive(messagesOf(messages), how)));
}

async function fileSamples(name: string, split = false): Promise<Float32Array<ArrayBuffer>> {
  return concat(await Array.fromAsync(decodeStream(messagesOf([fixture(name)]), { split })));
}

/** Whether a WebM cluster begins there. */
function isCluster(bytes: Uint8Array, at: number): boolean {
  return [0x1f, 0x43, 0xb6, 0x75].every((byte, i) => bytes[at + i] === byte);
}

const FILES = ["mono", "stereo"] as const;

for (const name of FILES) {
  Deno.test(`decodeLive() gives ${name}.opus as the file, however its bytes are cut`, async () => {
    const whole = await fileSamples(`${name}.opus`);
    assert.equal(whole.length, 12_001);
    for (const [encoding, file] of [["ogg-opus", "opus"], ["webm-opus", "webm"]] as const) {
      const bytes = fixture(`${name}.${file}`);
      const places = fc.array(fc.nat(), { maxLength: 30 });
      await fc.assert(
        fc.asyncProperty(places, async (places) => {
          assert.deepEqual(await decoded(cut(bytes, places), { encoding }), whole);
        }),
        { numRuns: 10 },
      );
      const each = Array.from(bytes, (byte) => Uint8Array.of(byte));
      assert.deepEqual(await decoded(each, { encoding }), whole);
    }
  });
}

Deno.test("decodeLive() gives a file's packets, with their head or 6.5 ms later", async () => {
  const whole = await fileSamples("mono.opus");
  const packets = await opusPackets("mono.opus");
  const [head, ...audio] = packets;
  const withHead = await decoded([head, new Uint8Array(0), ...audio], { encoding: "opus" });
  assert.deepEqual(withHead.subarray(0, 12_001), whole);
  const without = await decoded(audio, { encoding: "opus" });
  assert.equal(without.length, 38 * 320);
  assert.deepEqual(without.subarray(104), withHead);
});

Deno.test("decodeLive() reads clusters and segments without a length", async () => {
  const live = await decoded([fixture("live.webm")], { encoding: "webm-opus" });
  const whole = await fileSamples("mono.opus");
  assert.ok(live.length >= whole.length, `${live.length}`);
  assert.deepEqual(live.subarray(0, whole.length), whole);
});

Deno.test("decodeLive() gives every channel, or one of them", async () => {
  const both = await fileSamples("stereo.opus", true);
  const second = both.filter((_, i) => i % 2 === 1);
  for (const [encoding, file] of [["ogg-opus", "opus"], ["webm-opus", "webm"]] as const) {
    const bytes = [fixture(`stereo.${file}`)];
    assert.deepEqual(await decoded(bytes, { encoding, channels: 2, split: true }), both);
    assert.deepEqual(await decoded(bytes, { encoding, channels: 2, channel: 1 }), second);
    await refuses(
      bytes,
      { encoding, channels: 3, split: true },
      /head has 2 channels, its query 3/,
    );
  }
});

Deno.test("decodeLive() refuses a stream that begins again and again without audio", async () => {
  const begins = { // a head each, and at once the end
    "ogg-opus": (bytes: Uint8Array<ArrayBuffer>) => {
      const pages: Uint8Array[] = [];
      withPages(bytes, (page, view) => {
        if (pages.length === 1) {
          page[5] |= 4; // the last
          view.setBigInt64(6, 312n, true); // its pre-skip
        }
        pages.push(page);
      });
      return joined(pages.slice(0, 2));
    },
    "webm-opus": (bytes: Uint8Array<ArrayBuffer>) =>
      bytes.subarray(0, bytes.findIndex((_, at) => isCluster(bytes, at))),
  };
  for (const [encoding, file] of [["ogg-opus", "opus"], ["webm-opus", "webm"]] as const) {
    const bytes = fixture(`mono.${file}`);
    const empty = begins[encoding](bytes);
    const times = (count: number) => Array.from({ length: count }, () => empty);
    await decoded(times(8), { encoding });
    await refuses(times(9), { encoding }, /begins anew too often; it may do so 8 times at once/);
    await decoded([...times(7), bytes, ...times(7)], { encoding });
    await refuses([...times(7), bytes, ...times(8)], { encoding }, /begins anew too often/);
  }
});

Deno.test("decoders of Opus start one after the other, and others are heard between", async () => {
  const { port1, port2 } = new MessageChannel();
  let heard = 0;
  port2.onmessage = () => {
    heard++;
    port1.postMessage(0); // at once again
  };
  port1.postMessage(0);
  const tracks = await Promise.all(
    Array.from({ length: 20 }, () => OpusTrack.open(plainHead(1), { kind: "opus", split: false })),
  );
  port1.close();
  port2.close();
  for (const track of tracks) track.free();
  assert.ok(heard >= 20, `${heard} messages`);
});

Deno.test("decodeLive() gives a recording that follows another one", async () => {
  const whole = await fileSamples("mono.opus");
  for (const [encoding, file] of [["ogg-opus", "opus"], ["webm-opus", "webm"]] as const) {
    const bytes = fixture(`mono.${file}`);
    const twice = new Uint8Array([...bytes, ...bytes]);
    const samples = await decoded(cut(twice, [100, 2_000, 3_000]), { encoding });
    assert.deepEqual(samples, concat([whole, whole]));
  }
});

Deno.test("decodeLive() drops what the end of a stream cuts short", async () => {
  const whole = await fileSamples("mono.opus");
  for (const [encoding, file] of [["ogg-opus", "opus"], ["webm-opus", "webm"]] as const) {
    const bytes = fixture(`mono.${file}`);
    for (let end = 0; end < bytes.length; end += 13) {
      const samples = await decoded([bytes.subarray(0, end)], { encoding });
      assert.deepEqual(samples, whole.subarray(0, samples.length), `${file} cut at ${end}`);
    }
  }
});

Deno.test("decodeLive() conceals a packet of which only the first byte came", async () => {
  const [, ...audio] = await opusPackets("mono.opus");
  const lost = audio.with(10, Uint8Array.of(audio[9][0] & 0xfc));
  const [whole, concealed] = [
    await decoded(audio, { encoding: "opus" }),
    await decoded(lost, { encoding: "opus" }),
  ];
  assert.equal(concealed.length, whole.length);
  assert.deepEqual(concealed.subarray(0, 3_200), whole.subarray(0, 3_200));
  const gap = concealed.subarray(3_200, 3_520);
  assert.notDeepEqual(gap, whole.subarray(3_200, 3_520));
  assert.ok(gap.some((sample) => sample !== 0), "the gap is filled, not silent");
});

async function refuses(
  messages: readonly Uint8Array[],
  options: Parameters<typeof decoded>[1],
  message: RegExp,
): Promise<void> {
  await assert.rejects(decoded(messages, options), (error) => {
    assert.ok(error instanceof CpcError, String(error));
    assert.match(error.message, message);
    return true;
  });
}

Deno.test("decodeLive() refuses what is no packet", async () => {
  const [head, packet] = await opusPackets("mono.opus");
  const opus = { encoding: "opus" } as const;
  await refuses([Uint8Array.of(0xff)], opus, /opus stream .* packet after 0 s is damaged/);
  // 48 frames of 20 ms
  await refuses([packet, Uint8Array.of(0x4f, 0x30)], opus, /a packet after 0.02 s is damaged/);
  await refuses([new Uint8Array(3_841)], opus, /has 3841 bytes, more than 3840/);
  await refuses([packet, head], opus, /a second OpusHead; send reset before it/);
});

Deno.test("decodeLive() refuses a head with more coded channels than are heard", async () => {
  const head = (channels: number, streams: number, coupled: number, mapping: number[]) => {
    const name = new TextEncoder().encode("OpusHead");
    const rest = [1, channels, 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 255, streams, coupled, ...mapping];
    return Uint8Array.of(...name, ...rest);
  };
  const opus = { encoding: "opus" } as const;
  await refuses([head(1, 255, 0, [0])], opus, /255 coded channels for 1 that are heard/);
  await refuses([head(2, 2, 1, [0, 1])], opus, /3 coded channels for 2 that are heard/);
  assert.equal((await decoded([head(3, 2, 1, [0, 1, 2])], opus)).length, 0);
  assert.equal((await decoded([head(2, 1, 0, [0, 255])], opus)).length, 0);
});

Deno.test("decodeLive() refuses other containers, and those that break their rules", async () => {
  const webm = { encoding: "webm-opus" } as const;
  const ogg = { encoding: "ogg-opus" } as const;
  await refuses([fixture("vorbis.ogg")], ogg, /no OpusHead/);
  await refuses([fixture("mono.webm")], ogg, /no page begins at byte 0/);
  await refuses([fixture("mono.opus")], webm, /no EBML header begins at byte 0/);
  const file = fixture("mono.webm");
  const changed = (from: string, to: string) => {
    const text = new TextDecoder("latin1").decode(file);
    const at = text.indexOf(from);
    assert.ok(at > 0, from);
    const bytes = file.slice();
    bytes.set(new TextEncoder().encode(to), at);
    return [bytes];
  };
  await refuses(changed("webm", "mp4!"), webm, /its EBML header is not WebM's/);
  await refuses(changed("A_OPUS", "A_FLAC"), webm, /no Opus track but A_FLAC/);
  await refuses(changed("OpusHead", "OpusTags"), webm, /its track has no OpusHead/);
  const block = file.findIndex((byte, i) => byte === 0xa3 && file[i + 2] === 0x81);
  const laced = file.slice();
  laced[block + 5] |= 0x02;
  await refuses([laced], webm, /blocks of several packets/);
  const endless = Uint8Array.of(0x1a, 0x45, 0xdf, 0xa3, 0x08, 0xff, 0xff, 0xff, 0xff);
  await refuses([endless], webm, /has \d+ bytes, more than 262144/);
});

Deno.test("decodeLive() never fails on damaged bytes but by an error of its own", async () => {
  const file = fixture("mono.webm");
  const changes = fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(changes, async (changes) => {
      const bytes = file.slice();
      for (const [at, byte] of changes) bytes[at] = byte;
      try {
        const samples = await decoded([bytes], { encoding: "webm-opus" });
        assert.ok(samples.every(Number.isFinite));
      } catch (error) {
        assert.ok(error instanceof CpcError, String(error));
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("oggPages() ends a file that is cut short by an error, a stream by none", async () => {
  const short = fixture("mono.opus").subarray(0, 1_000);
  const pages = (isLive: boolean) =>
    Array.fromAsync(oggPages(new ByteReader(messagesOf([short])), "ogg-opus", { isLive }));
  await assert.rejects(pages(false), /truncated/);
  assert.equal((await pages(true)).length, 2);
});

Deno.test("oggPages() keeps the beginning of a stream's long comments, and a file's whole", async () => {
  const [body, pageCount] = [255 * 255, 16];
  const middle = Array.from({ length: pageCount }, (_, i) => {
    const page = new Uint8Array(27 + 255 + body);
    page.set([0x4f, 0x67, 0x67, 0x53, 0, i === 0 ? 0 : 1]);
    page[18] = 1 + i; // its place
    page.fill(255, 26, 27 + 255);
    if (i === pageCount - 1) page[27 + 254] = 254; // the packet ends
    return i === pageCount - 1 ? page.subarray(0, -1) : page;
  });
  const [first] = pagesOf(fixture("mono.opus"));
  first.fill(0, 14, 22); // serial and place
  const file = withPages(joined([first, ...middle]), () => {});
  const longest = async (isLive: boolean) => {
    let bytes = 0;
    const pages = oggPages(new ByteReader(messagesOf([file])), "ogg-opus", { isLive });
    try {
      for await (const { packets } of pages) {
        bytes = Math.max(bytes, ...packets.map(({ length }) => length));
      }
    } catch (error) { // the file has no last page
      assert.match(String(error), /truncated/);
    }
    return bytes;
  };
  assert.equal(await longest(false), pageCount * body - 1);
  assert.equal(await longest(true), 2 * body);
});

/** The pages of an Ogg file. */
function pagesOf(file: Uint8Array<ArrayBuffer>): Uint8Array[] {
  const pages: Uint8Array[] = [];
  withPages(file, (page) => pages.push(page));
  return pages;
}
