/** Recorded files for tests, and changes to them. */
import { ByteReader } from "../../audio/byte_reader.ts";
import { oggPages } from "../../audio/ogg.ts";

/** A file of the fixtures, as bytes that may be changed. */
export function fixture(name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(`../fixtures/audio/${name}`, import.meta.url));
}

const CRC = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc;
});

/**
 * An Ogg file with each page changed in place and given a right checksum again; stops where a page
 * is broken.
 */
export function withPages(
  file: Uint8Array<ArrayBuffer>,
  change: (page: Uint8Array, view: DataView, last: boolean) => unknown,
): Uint8Array<ArrayBuffer> {
  const bytes = file.slice();
  for (let at = 0; at + 27 <= bytes.length && bytes[at] === 0x4f;) {
    const body = at + 27 + bytes[at + 26];
    const end = bytes.subarray(at + 27, body).reduce((sum, size) => sum + size, body);
    if (end > bytes.length) break;
    const page = bytes.subarray(at, end);
    const view = new DataView(bytes.buffer, at, end - at);
    change(page, view, (page[5] & 4) !== 0);
    view.setUint32(22, 0);
    view.setUint32(
      22,
      page.reduce((crc, byte) => (crc << 8) ^ CRC[(crc >>> 24) ^ byte], 0) >>> 0,
      true,
    );
    at = end;
  }
  return bytes;
}

/** The packets of an Ogg Opus file: its head, then audio. */
export async function opusPackets(name: string): Promise<Uint8Array[]> {
  async function* bytes() {
    yield fixture(name);
  }
  const packets: Uint8Array[] = [];
  for await (const page of oggPages(new ByteReader(bytes()), "ogg-opus")) {
    packets.push(...page.packets);
  }
  packets.splice(1, 1); // comments
  return packets;
}
