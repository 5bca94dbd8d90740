import assert from "node:assert/strict";
import { ByteReader } from "../../audio/byte_reader.ts";
import { oggPages } from "../../audio/ogg.ts";
import { openAudio } from "../../audio/open.ts";
import { openVorbis } from "../../audio/vorbis.ts";
import { fixture } from "./files.ts";
import { concat } from "./signals.ts";
import { PACKET_SAMPLES, silentVorbis } from "./vorbis_writer.ts";

async function* bytesOf(file: Uint8Array): AsyncGenerator<Uint8Array> {
  yield file;
}

Deno.test("a page of Vorbis with many packets of many channels is decoded in parts", async () => {
  const file = silentVorbis({ channels: 32, packets: 20 });
  assert.ok(file.length < 400, `${file.length} bytes`);
  const { info, chunks } = await openAudio(new ByteReader(bytesOf(file)), { split: true });
  assert.equal(info.channels, 32);
  const lengths: number[] = [];
  for await (const chunk of chunks) lengths.push(chunk.length);
  const samples = lengths.reduce((sum, length) => sum + length, 0);
  assert.equal(samples, 32 * 19 * PACKET_SAMPLES);
  assert.ok(Math.max(...lengths) <= 2 ** 18, `${Math.max(...lengths)} samples at once`);
});

Deno.test("Vorbis decoded in parts of a page is the same", async () => {
  const decoded = async (stepSamples?: number) => {
    const pages = oggPages(new ByteReader(bytesOf(fixture("vorbis.ogg"))), "ogg-vorbis");
    const { value: first } = await pages.next();
    assert.ok(first);
    const head = first.packets[0]!;
    const { chunks } = openVorbis(head, { first, pages, split: false, stepSamples });
    return await Array.fromAsync(chunks);
  };
  const [whole, parts] = [await decoded(), await decoded(1)];
  assert.ok(parts.length > 2 * whole.length, `${parts.length} and ${whole.length} parts`);
  assert.deepEqual(concat(parts), concat(whole));
});
