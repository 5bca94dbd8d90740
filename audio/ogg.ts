/**
 * Ogg (RFC 3533): one logical stream as pages of whole packets, every page checked.
 *
 * We do not use the decoders' own Ogg parser: it silently plays on after damaged or missing pages
 * and an early end. Here each of these is an error, and the pages' positions trim both ends to the
 * sample.
 */
import { ascii, type ByteReader, joined, viewOf } from "./byte_reader.ts";
import { type AudioKind, corrupt, truncated, unsupported } from "./source.ts";

/** A page and the packets that end on it. */
export interface OggPage {
  /** The raw page with its header. */
  readonly bytes: Uint8Array;
  readonly packets: readonly Uint8Array[];
  /** Position in samples at the end of its last packet, or −1 if none ends. */
  readonly granule: number;
  /** Whether the stream ends with this page. */
  readonly last: boolean;
}

const MAX_PACKET_BYTES = 4 * 2 ** 20;
/** Bytes of a packet that a stream keeps, or a page more: it needs none that is longer. */
const LIVE_PACKET_BYTES = 2 ** 16;

/**
 * Pages of the first stream, up to its last.
 *
 * @param options `isLive`: the bytes may end anywhere, which drops an incomplete page, another
 *   stream may follow, and of a long packet, such as comments, only the beginning is given
 * @throws {CpcError} `invalid_audio`, `unsupported_audio`
 */
export async function* oggPages(
  reader: ByteReader,
  kind: AudioKind,
  { isLive = false }: { isLive?: boolean } = {},
): AsyncGenerator<OggPage, undefined> {
  let serial: number | undefined;
  let sequence = 0;
  const mostKept = isLive ? LIVE_PACKET_BYTES : MAX_PACKET_BYTES;
  let partial: Uint8Array[] = [];
  let [packetBytes, keptBytes] = [0, 0]; // of a packet on its way
  for (;;) {
    const at = reader.position;
    if (!await reader.fill(27)) {
      if (isLive) return;
      throw truncated(
        kind,
        `at byte ${at + reader.available.length}, before the page that ends the stream`,
      );
    }
    const tableBytes = viewOf(reader.available).getUint8(26);
    const cutShort = () => truncated(kind, `in the page that begins at byte ${at}`);
    if (ascii(reader.available) !== "OggS") throw corrupt(kind, `no page begins at byte ${at}`);
    if (!await reader.fill(27 + tableBytes)) {
      if (isLive) return;
      throw cutShort();
    }
    const bodyBytes = reader.available.subarray(27, 27 + tableBytes).reduce(
      (sum, size) => sum + size,
      0,
    );
    if (!await reader.fill(27 + tableBytes + bodyBytes)) {
      if (isLive) return;
      throw cutShort();
    }
    const bytes = reader.take(27 + tableBytes + bodyBytes).slice();
    const view = viewOf(bytes);
    if (bytes[4] !== 0) throw unsupported(kind, `version ${bytes[4]} of Ogg`);
    if (pageCrc(bytes) !== view.getUint32(22, true)) {
      throw corrupt(kind, `the checksum of the page at byte ${at} is wrong`);
    }
    const flags = view.getUint8(5);
    const continued = (flags & 1) !== 0;
    const begins = (flags & 2) !== 0;
    const last = (flags & 4) !== 0;
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
    for (const [i, segmentBytes] of bytes.subarray(27, from).entries()) {
      to += segmentBytes;
      if (segmentBytes === 255 && i < tableBytes - 1) continue;
      packetBytes += to - from;
      if (packetBytes > MAX_PACKET_BYTES) {
        throw corrupt(kind, `a packet has more than ${MAX_PACKET_BYTES} bytes`);
      }
      if (keptBytes < mostKept) {
        partial.push(bytes.subarray(from, to));
        keptBytes += to - from;
      }
      from = to;
      if (segmentBytes < 255) {
        packets.push(joined(partial, keptBytes));
        [partial, packetBytes, keptBytes] = [[], 0, 0];
      }
    }
    yield { bytes, packets, granule: Number(view.getBigInt64(6, true)), last };
    if (last) break;
  }
  if (!isLive && await reader.fill(6) && ascii(reader.available) === "OggS") {
    throw unsupported(kind, "several streams one after the other");
  }
}

/** CRC-32 of polynomial 0x04c11db7, without reflection. */
const CRC32 = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc;
});

/** The checksum of a page, with its own field taken as zero. */
function pageCrc(page: Uint8Array): number {
  let crc = 0;
  for (let i = 0; i < page.length; i++) {
    const byte = i >= 22 && i < 26 ? 0 : page[i]!;
    crc = (crc << 8) ^ CRC32[(crc >>> 24) ^ byte]!;
  }
  return crc >>> 0;
}
