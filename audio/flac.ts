/**
 * FLAC, native or in Ogg (RFC 9639): frames are found and checked here, libFLAC (WebAssembly)
 * decodes them one by one.
 *
 * A frame ends where the CRC-16 over all of it, its own CRC included, comes to zero and the next
 * frame's header, or the end, follows.
 */
import { FLACDecoder } from "@wasm-audio-decoders/flac";
import type { OggPage } from "./ogg.ts";
import {
  type AudioInfo,
  type AudioKind,
  type ByteReader,
  corrupt,
  mixDown,
  type OpenedAudio,
  truncated,
  viewOf,
} from "./source.ts";

const MAX_HEADER_BYTES = 16;
/** Tags that other programs put after the last frame. */
const TRAILERS = ["TAG", "APETAGEX"];

/** The STREAMINFO block: rate, channels, and the length where it is known. */
export function parseStreamInfo(kind: AudioKind, block: Uint8Array): AudioInfo {
  if (block.length < 34) {
    throw corrupt(kind, `its STREAMINFO has ${block.length} bytes, 34 are needed`);
  }
  const view = viewOf(block);
  const packed = view.getUint32(10);
  const sampleRate = packed >>> 12;
  const channels = ((packed >>> 9) & 7) + 1;
  const totalSamples = (block[13] & 0x0f) * 2 ** 32 + view.getUint32(14);
  if (sampleRate === 0) throw corrupt(kind, "its sample rate is 0");
  return { kind, sampleRate, channels, totalSamples: totalSamples || undefined };
}

/**
 * Opens a native FLAC file.
 *
 * @throws {CpcError} `invalid_audio`; while its chunks are read too
 */
export async function openFlac(reader: ByteReader): Promise<OpenedAudio> {
  await reader.read(4); // fLaC
  let info: AudioInfo | undefined;
  for (let last = false; !last;) {
    const head = await reader.read(4);
    if (head.length < 4) throw truncated("flac", "in its metadata");
    last = (head[0] & 0x80) !== 0;
    const bytes = viewOf(head).getUint32(0) & 0xffffff;
    if (!info) {
      if ((head[0] & 0x7f) !== 0) throw corrupt("flac", "its first block is not STREAMINFO");
      const block = await reader.read(bytes);
      if (block.length < bytes) throw truncated("flac", "in its metadata");
      info = parseStreamInfo("flac", block);
    } else if (!await reader.skip(bytes)) {
      throw truncated("flac", "in its metadata");
    }
  }
  if (!info) throw corrupt("flac", "it has no STREAMINFO");
  return { info, chunks: decodeFrames(nativeFrames(reader), info) };
}

/**
 * Opens FLAC in Ogg, whose first packet was seen to be one of FLAC: each packet after the header
 * packets is a frame.
 *
 * @throws {CpcError} `invalid_audio`; while its chunks are read too
 */
export function openOggFlac(head: Uint8Array, pages: AsyncGenerator<OggPage>): OpenedAudio {
  const info = parseStreamInfo("ogg-flac", head.subarray(17));
  async function* frames() {
    for await (const page of pages) {
      for (const packet of page.packets) {
        if (packet[0] !== 0xff) continue; // a metadata block
        const header = parseFrameHeader(packet, 0);
        if (!header || crc16(packet) !== 0) {
          throw corrupt("ogg-flac", "a frame's checksum is wrong");
        }
        yield { bytes: packet, header };
      }
    }
  }
  return { info, chunks: decodeFrames(frames(), info) };
}

interface FrameHeader {
  readonly bytes: number;
  readonly blockSamples: number;
  readonly channels: number;
  /** Number of the frame, or of its first sample where block sizes vary. */
  readonly number: number;
  readonly variable: boolean;
}

interface Frame {
  readonly bytes: Uint8Array;
  readonly header: FrameHeader;
}

async function* decodeFrames(
  frames: AsyncGenerator<Frame>,
  info: AudioInfo,
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const { kind, channels, totalSamples } = info;
  const decoder = new FLACDecoder();
  await decoder.ready;
  try {
    let samples = 0;
    let expected: number | undefined;
    for await (const { bytes, header } of frames) {
      if (expected !== undefined && header.number !== expected) {
        throw corrupt(
          kind,
          `frames are missing: number ${header.number} comes where ${expected} should`,
        );
      }
      expected = header.number + (header.variable ? header.blockSamples : 1);
      if (header.channels !== channels) {
        throw corrupt(kind, `a frame has ${header.channels} channels, its header says ${channels}`);
      }
      const { channelData, samplesDecoded, bitDepth, errors } = await decoder.decodeFrames([bytes]);
      if (
        errors.length > 0 || samplesDecoded !== header.blockSamples ||
        channelData.length !== channels
      ) {
        throw corrupt(
          kind,
          `the frame at sample ${samples} is damaged (${
            errors[0]?.message ?? `${samplesDecoded} samples`
          })`,
        );
      }
      samples += samplesDecoded;
      if (totalSamples !== undefined && samples > totalSamples) {
        throw corrupt(kind, `it holds more than the ${totalSamples} samples its header claims`);
      }
      yield mixDown(channelData.map((channel) => rescale(channel, bitDepth)));
    }
    if (totalSamples !== undefined && samples < totalSamples) {
      throw truncated(kind, `after ${samples} of the ${totalSamples} samples its header claims`);
    }
  } finally {
    decoder.free();
  }
}

/**
 * The decoder divides integers by 2ⁿ⁻¹ − 1; here they are to be divided by 2ⁿ⁻¹, as everywhere
 * else. In place.
 */
function rescale(samples: Float32Array, bitDepth: number): Float32Array {
  const fullScale = 2 ** (bitDepth - 1);
  for (let i = 0; i < samples.length; i++) {
    const integer = samples[i] * (fullScale - 1);
    // beyond 24 bits a float32 is not exact
    samples[i] = (bitDepth <= 24 ? Math.round(integer) : integer) / fullScale;
  }
  return samples;
}

/** Cuts the bytes after the metadata into frames. */
async function* nativeFrames(reader: ByteReader): AsyncGenerator<Frame> {
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
        throw corrupt("flac", `the frame at byte ${start} has no end with a right checksum`);
      }
      // look one header further than the frame's last byte, so that what follows can be told
      const more = await reader.fill(at + 4096 + MAX_HEADER_BYTES);
      const bytes = reader.available;
      const end = more ? bytes.length - MAX_HEADER_BYTES : bytes.length;
      for (; at < end && !found; at++) {
        crc = ((crc << 8) & 0xffff) ^ CRC16[(crc >> 8) ^ bytes[at]];
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

/** A frame header with a right CRC-8 at this place, if there is one. */
function parseFrameHeader(bytes: Uint8Array, at: number): FrameHeader | undefined {
  if (bytes[at] !== 0xff || (bytes[at + 1] & 0xfe) !== 0xf8) return;
  const sizeCode = bytes[at + 2] >> 4;
  const rateCode = bytes[at + 2] & 15;
  const channelCode = bytes[at + 3] >> 4;
  if (sizeCode === 0 || rateCode === 15 || channelCode > 10 || (bytes[at + 3] & 1) !== 0) return;
  let number = bytes[at + 4];
  let next = at + 5;
  if (number >= 0x80) { // as UTF-8 codes it, up to 36 bits
    const extra = Math.clz32(~(number << 24)) - 1;
    if (extra < 1 || extra > 6) return;
    number &= 0x3f >> extra;
    for (let i = 0; i < extra; i++) number = number * 64 + (bytes[next++] & 0x3f);
  }
  let blockSamples = sizeCode === 1 ? 192 : sizeCode < 6 ? 144 << sizeCode : 1 << sizeCode;
  if (sizeCode === 6) blockSamples = bytes[next++] + 1;
  if (sizeCode === 7) blockSamples = bytes[next++] * 256 + bytes[next++] + 1;
  if (rateCode === 12) next += 1;
  if (rateCode > 12) next += 2;
  if (next >= bytes.length || crc8(bytes, at, next) !== bytes[next]) return;
  return {
    bytes: next + 1 - at,
    blockSamples,
    channels: channelCode < 8 ? channelCode + 1 : 2,
    number,
    variable: (bytes[at + 1] & 1) !== 0,
  };
}

/** CRC-16 of polynomial 0x8005, as FLAC frames end with. */
const CRC16 = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x8005 : crc << 1;
  return crc;
});

function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ CRC16[(crc >> 8) ^ byte];
  return crc;
}

/** CRC-8 of polynomial 0x07 over bytes from…to. */
function crc8(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let at = from; at < to; at++) {
    crc ^= bytes[at];
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x80 ? (crc << 1) ^ 0x07 : crc << 1) & 0xff;
  }
  return crc;
}
