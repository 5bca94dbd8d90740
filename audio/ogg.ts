/** Ogg (RFC 3533): one logical stream as pages of whole packets, every page checked. */
import {
  ascii,
  type AudioKind,
  type ByteReader,
  corrupt,
  type OpenedAudio,
  truncated,
  unsupported,
  viewOf,
} from "./source.ts";

/** A page, with the packets that end on it. */
export interface OggPage {
  /** The page as it came, header and all. */
  readonly bytes: Uint8Array;
  readonly packets: readonly Uint8Array[];
  /** Position in samples at the end of its last packet, or −1 where none ends. */
  readonly granule: number;
  /** Whether the stream ends with this page. */
  readonly last: boolean;
}

const MAX_PACKET_BYTES = 4 * 2 ** 20;

/**
 * Opens what an Ogg file holds: Opus, FLAC or Vorbis.
 *
 * @returns undefined where it holds something else
 * @throws {CpcError} `invalid_audio`, `unsupported_audio`; while its chunks are read too
 */
export async function openOgg(reader: ByteReader): Promise<OpenedAudio | undefined> {
  await reader.fill(28 + 64);
  const first = reader.available;
  const body = 27 + (first[26] ?? 0);
  const marks = {
    "ogg-opus": "OpusHead",
    "ogg-flac": "\x7fFLAC",
    "ogg-vorbis": "\x01vorbis",
  } as const;
  const kinds = Object.keys(marks) as (keyof typeof marks)[];
  const kind = kinds.find((name) => ascii(first, body, marks[name].length) === marks[name]);
  if (!kind && first.length < body + 8) throw truncated("ogg", "in its first page");
  if (!kind) return undefined;
  const pages = oggPages(reader, kind);
  const { value: page } = await pages.next();
  const head = page?.packets[0];
  if (!page || !head) throw corrupt(kind, "its first page holds no whole packet");
  if (kind === "ogg-opus") return (await import("./opus.ts")).openOpus(head, pages);
  if (kind === "ogg-flac") return (await import("./flac.ts")).openOggFlac(head, pages);
  return (await import("./vorbis.ts")).openVorbis(head, page, pages);
}

/** Pages of the first stream until its last. */
async function* oggPages(reader: ByteReader, kind: AudioKind): AsyncGenerator<OggPage, undefined> {
  let serial: number | undefined;
  let sequence = 0;
  let partial: Uint8Array[] = [];
  for (;;) {
    const at = reader.position;
    if (!await reader.fill(27)) {
      throw truncated(
        kind,
        `at byte ${at + reader.available.length}, before the page that ends the stream`,
      );
    }
    const tableBytes = reader.available[26];
    const cutShort = () => truncated(kind, `in the page that begins at byte ${at}`);
    if (ascii(reader.available) !== "OggS") throw corrupt(kind, `no page begins at byte ${at}`);
    if (!await reader.fill(27 + tableBytes)) throw cutShort();
    const bodyBytes = reader.available.subarray(27, 27 + tableBytes).reduce(
      (sum, size) => sum + size,
      0,
    );
    if (!await reader.fill(27 + tableBytes + bodyBytes)) throw cutShort();
    const bytes = reader.take(27 + tableBytes + bodyBytes).slice();
    const view = viewOf(bytes);
    if (bytes[4] !== 0) throw unsupported(kind, `version ${bytes[4]} of Ogg`);
    if (pageCrc(bytes) !== view.getUint32(22, true)) {
      throw corrupt(kind, `the checksum of the page at byte ${at} is wrong`);
    }
    const [continued, begins, last] = [1, 2, 4].map((flag) => (bytes[5] & flag) !== 0);
    const first = serial === undefined;
    if (first) [serial, sequence] = [view.getUint32(14, true), view.getUint32(18, true)];
    if (view.getUint32(14, true) !== serial) {
      throw unsupported(kind, "several streams side by side");
    }
    if (view.getUint32(18, true) !== sequence++) {
      throw corrupt(kind, `a page is missing before byte ${at}`);
    }
    if (begins !== first || continued !== partial.length > 0) {
      throw corrupt(kind, `the page at byte ${at} is out of place`);
    }
    const packets: Uint8Array[] = [];
    let from = 27 + tableBytes;
    let to = from;
    for (let i = 0; i < tableBytes; i++) {
      to += bytes[27 + i];
      if (bytes[27 + i] === 255 && i < tableBytes - 1) continue;
      partial.push(bytes.subarray(from, to));
      from = to;
      const packetBytes = partial.reduce((sum, part) => sum + part.length, 0);
      if (packetBytes > MAX_PACKET_BYTES) {
        throw corrupt(kind, `a packet has more than ${MAX_PACKET_BYTES} bytes`);
      }
      if (bytes[27 + i] < 255) {
        packets.push(gathered(partial, packetBytes));
        partial = [];
      }
    }
    yield { bytes, packets, granule: Number(view.getBigInt64(6, true)), last };
    if (last) break;
  }
  if (await reader.fill(6) && ascii(reader.available) === "OggS") {
    throw unsupported(kind, "several streams one after the other");
  }
}

function gathered(parts: readonly Uint8Array[], length: number): Uint8Array {
  if (parts.length === 1) return parts[0];
  const packet = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    packet.set(part, at);
    at += part.length;
  }
  return packet;
}

/** CRC-32 of polynomial 0x04c11db7, without reflection. */
const CRC32 = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc;
});

/** The checksum of a page, taken with its own field as zero. */
function pageCrc(page: Uint8Array): number {
  let crc = 0;
  for (let i = 0; i < page.length; i++) {
    const byte = i >= 22 && i < 26 ? 0 : page[i];
    crc = (crc << 8) ^ CRC32[(crc >>> 24) ^ byte];
  }
  return crc >>> 0;
}
