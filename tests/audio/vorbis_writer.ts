/** Ogg Vorbis of silence, with any number of channels and of packets in a page. */
import { withPages } from "./files.ts";
import { joined, text } from "./wav_writer.ts";

/** Samples of each channel that a packet adds. */
export const PACKET_SAMPLES = 4096;
const BLOCK_BITS = 13;

/** @param options `packets`: in the one page after the headers, up to 255 */
export function silentVorbis(
  { channels, packets }: { channels: number; packets: number },
): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(30);
  head.set(text("\x01vorbis"));
  const view = new DataView(head.buffer);
  view.setUint8(11, channels);
  view.setUint32(12, 16_000, true);
  view.setUint8(28, BLOCK_BITS << 4 | BLOCK_BITS);
  view.setUint8(29, 1); // the framing
  const comments = joined([text("\x03vorbis"), new Uint8Array(8), Uint8Array.of(1)]);
  const silence = Array.from({ length: packets }, () => new Uint8Array(1));
  const pages = [
    page([head], { sequence: 0, flags: 2, samples: 0 }),
    page([comments, setup()], { sequence: 1, flags: 0, samples: 0 }),
    page(silence, { sequence: 2, flags: 4, samples: (packets - 1) * PACKET_SAMPLES }),
  ];
  return withPages(joined(pages), () => {}); // their checksums
}

function page(
  packets: readonly Uint8Array[],
  { sequence, flags, samples }: { sequence: number; flags: number; samples: number },
): Uint8Array<ArrayBuffer> {
  const table = packets.flatMap(({ length }) => [
    ...Array.from({ length: Math.floor(length / 255) }, () => 255),
    length % 255,
  ]);
  const start = new Uint8Array(27);
  start.set(text("OggS"));
  const view = new DataView(start.buffer);
  view.setUint8(5, flags);
  view.setBigInt64(6, BigInt(samples), true);
  view.setUint32(18, sequence, true);
  view.setUint8(26, table.length);
  return joined([start, Uint8Array.from(table), ...packets]);
}

/** The smallest setup: a book of two words, a floor without partitions, one mode of long blocks. */
function setup(): Uint8Array<ArrayBuffer> {
  const numbers: [value: number, bits: number][] = [
    [0, 8], // one book: its mark, dimensions, words, their lengths, and no values
    ...[[0x564342, 24], [1, 16], [2, 24], [0, 2], [0, 5], [0, 5], [0, 4]] as [number, number][],
    ...[[0, 6], [0, 16]] as [number, number][], // times
    ...[[0, 6], [1, 16], [0, 5], [0, 2], [1, 4]] as [number, number][], // floors
    ...[[0, 6], [0, 16], [0, 24], [0, 24], [0, 24], [0, 6], [0, 8], [0, 4]] as [number, number][],
    ...[[0, 6], [0, 16], [0, 4], [0, 24]] as [number, number][], // mappings
    ...[[0, 6], [1, 1], [0, 32], [0, 8]] as [number, number][], // modes
    [1, 1],
  ];
  const bits = numbers.flatMap(([value, count]) =>
    Array.from({ length: count }, (_, bit) => bit < 31 ? value >> bit & 1 : 0)
  );
  const bytes = new Uint8Array(Math.ceil(bits.length / 8));
  for (const [i, bit] of bits.entries()) bytes[i >> 3]! |= bit << (i & 7);
  return joined([text("\x05vorbis"), bytes]);
}
