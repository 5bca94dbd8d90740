/**
 * The frames of a FLAC file, found by their headers and checksums (RFC 9639, section 9).
 *
 * A frame ends where the CRC-16 over all of it, including its own CRC, is zero and the next frame's
 * header, or the end, follows.
 */
import type { ByteReader } from "./byte_reader.ts";
import { corrupt, truncated } from "./source.ts";

const MAX_HEADER_BYTES = 16;
/** Tags that other programs append to the last frame. */
const TRAILERS = ["TAG", "APETAGEX"];

/** A frame's header. */
export interface FrameHeader {
  readonly bytes: number;
  readonly blockSamples: number;
  readonly channels: number;
  /** Number of the frame, or of its first sample if block sizes vary. */
  readonly number: number;
  readonly variable: boolean;
}

/** A whole frame. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly header: FrameHeader;
}

/** Cuts the bytes after the metadata into frames. */
export async function* nativeFrames(reader: ByteReader): AsyncGenerator<Frame> {
  while (!await reader.atEnd()) {
    await reader.fill(MAX_HEADER_BYTES);
    const start = reader.position;
    const header = parseFrameHeader(reader.available, 0);
    if (!header) {
      if (isTrailer(reader.available, 0)) return;
      throw corrupt("flac", `no frame begins at byte ${start}`);
    }
    // every sample verbatim, in up to 33 bits
    const maxBytes = header.blockSamples * header.channels * 5 + 1024;
    let crc = 0;
    let at = 0;
    for (let found = false; !found;) {
      if (at > maxBytes) {
        throw corrupt("flac", `the frame at byte ${start} has no end with a valid checksum`);
      }
      // look one header past the frame's last byte, to recognise what follows
      const more = await reader.fill(at + 4096 + MAX_HEADER_BYTES);
      const bytes = reader.available;
      const end = more ? bytes.length - MAX_HEADER_BYTES : bytes.length;
      for (; at < end && !found; at++) {
        crc = ((crc << 8) & 0xffff) ^ CRC16[(crc >> 8) ^ bytes[at]!]!;
        const next = at + 1;
        found = crc === 0 && next > header.bytes &&
          (next === bytes.length || isTrailer(bytes, next) ||
            parseFrameHeader(bytes, next) !== undefined);
      }
      if (!found && !more) {
        throw truncated(
          "flac",
          `in the frame that begins at byte ${start}, or that frame is damaged`,
        );
      }
    }
    yield { bytes: reader.take(at), header };
  }
}

function isTrailer(bytes: Uint8Array, at: number): boolean {
  return TRAILERS.some((tag) =>
    [...tag].every((letter, i) => bytes[at + i] === letter.charCodeAt(0))
  );
}

/** The frame header at this place, if there is one with a valid CRC-8. */
export function parseFrameHeader(bytes: Uint8Array, at: number): FrameHeader | undefined {
  if (bytes[at] !== 0xff) return;
  let next = at + 1;
  const nextByte = () => bytes[next++] ?? 0; // past the end there is no checksum to match
  const [sync, codes, layout] = [nextByte(), nextByte(), nextByte()];
  if ((sync & 0xfe) !== 0xf8) return;
  const sizeCode = codes >> 4;
  const rateCode = codes & 15;
  const channelCode = layout >> 4;
  if (sizeCode === 0 || rateCode === 15 || channelCode > 10 || (layout & 1) !== 0) return;
  let number = nextByte();
  if (number >= 0x80) { // coded like UTF-8, up to 36 bits
    const extra = Math.clz32(~(number << 24)) - 1;
    if (extra < 1 || extra > 6) return;
    number &= 0x3f >> extra;
    for (let i = 0; i < extra; i++) number = number * 64 + (nextByte() & 0x3f);
  }
  let blockSamples = sizeCode === 1 ? 192 : sizeCode < 6 ? 144 << sizeCode : 1 << sizeCode;
  if (sizeCode === 6) blockSamples = nextByte() + 1;
  if (sizeCode === 7) blockSamples = nextByte() * 256 + nextByte() + 1;
  if (rateCode === 12) next += 1;
  if (rateCode > 12) next += 2;
  if (next >= bytes.length || crc8(bytes, at, next) !== bytes[next]) return;
  return {
    bytes: next + 1 - at,
    blockSamples,
    channels: channelCode < 8 ? channelCode + 1 : 2,
    number,
    variable: (sync & 1) !== 0,
  };
}

/** CRC-16 of polynomial 0x8005, which ends a FLAC frame. */
const CRC16 = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x8005 : crc << 1;
  return crc;
});

/** The CRC-16 of bytes; 0 over a whole frame that includes its own CRC. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ CRC16[(crc >> 8) ^ byte]!;
  return crc;
}

/** CRC-8 of polynomial 0x07 over bytes from…to. */
function crc8(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let at = from; at < to; at++) {
    crc ^= bytes[at]!;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x80 ? (crc << 1) ^ 0x07 : crc << 1) & 0xff;
  }
  return crc;
}
