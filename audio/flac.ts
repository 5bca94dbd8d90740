/**
 * FLAC, native or in Ogg (RFC 9639): flac_frames.ts finds and checks the frames; libFLAC
 * (WebAssembly) decodes them one by one.
 *
 * Left to itself, the decoder skips damaged and missing frames, and mistakes a truncated file for a
 * short one. Here a frame's checksum, its number and the header's number of samples must agree.
 */
import { FLACDecoder } from "@wasm-audio-decoders/flac";
import type { OggPage } from "./ogg.ts";
import { type ByteReader, viewOf } from "./byte_reader.ts";
import { crc16, type Frame, nativeFrames, parseFrameHeader } from "./flac_frames.ts";
import {
  type AudioInfo,
  type AudioKind,
  corrupt,
  joinChannels,
  type OpenedAudio,
  type Split,
  truncated,
  unsupported,
} from "./source.ts";

/** Bytes of a STREAMINFO block. */
const STREAM_INFO_BYTES = 34;

/** The STREAMINFO block: rate, channels, and the length if known. */
export function parseStreamInfo(kind: AudioKind, block: Uint8Array): AudioInfo {
  if (block.length < STREAM_INFO_BYTES) {
    throw corrupt(
      kind,
      `its STREAMINFO has ${block.length} bytes; it needs ${STREAM_INFO_BYTES}`,
    );
  }
  const view = viewOf(block);
  const packed = view.getUint32(10);
  const sampleRate = packed >>> 12;
  const channels = ((packed >>> 9) & 7) + 1;
  const totalSamples = (view.getUint8(13) & 0x0f) * 2 ** 32 + view.getUint32(14);
  if (sampleRate === 0) throw corrupt(kind, "its sample rate is 0");
  return { kind, sampleRate, channels, totalSamples: totalSamples || undefined };
}

/**
 * Opens a native FLAC file.
 *
 * @throws {CpcError} `invalid_audio`, also while its chunks are read
 */
export async function openFlac(reader: ByteReader, how: Split): Promise<OpenedAudio> {
  await reader.read(4); // fLaC
  let streamInfo: Uint8Array | undefined;
  let info: AudioInfo | undefined;
  for (let last = false; !last;) {
    const head = await reader.read(4);
    if (head.length < 4) throw truncated("flac", "in its metadata");
    const word = viewOf(head).getUint32(0);
    last = word >>> 31 !== 0;
    const bytes = word & 0xffffff;
    if (!info) {
      if ((word & 0x7f000000) !== 0) throw corrupt("flac", "its first block is not STREAMINFO");
      const block = await reader.read(bytes);
      if (block.length < bytes) throw truncated("flac", "in its metadata");
      info = parseStreamInfo("flac", block);
      streamInfo = block.slice();
    } else if (!await reader.skip(bytes)) {
      throw truncated("flac", "in its metadata");
    }
  }
  if (!info || !streamInfo) throw corrupt("flac", "it has no STREAMINFO");
  return { info, chunks: decodeFrames(nativeFrames(reader), { info, streamInfo, ...how }) };
}

/**
 * Opens FLAC in Ogg, once the first packet is known to be FLAC. Each packet after the header
 * packets is a frame.
 *
 * @throws {CpcError} `invalid_audio`, also while its chunks are read
 */
export function openOggFlac(
  head: Uint8Array,
  { pages, split }: Split & { pages: AsyncGenerator<OggPage> },
): OpenedAudio {
  const streamInfo = head.slice(17);
  const info = parseStreamInfo("ogg-flac", streamInfo);
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
  return { info, chunks: decodeFrames(frames(), { info, streamInfo, split }) };
}

async function* decodeFrames(
  frames: AsyncGenerator<Frame>,
  { info, streamInfo, split }: Split & { info: AudioInfo; streamInfo: Uint8Array },
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const { kind, channels, totalSamples } = info;
  const decoder = new FLACDecoder();
  await decoder.ready;
  try {
    // frames may leave their rate and sample size to it
    await decoder.decodeFrames([streamHead(streamInfo)]);
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
      // the decoder gives infinities for others
      if (bitDepth % 8 !== 0) throw unsupported(kind, `samples of ${bitDepth} bits`);
      samples += samplesDecoded;
      if (totalSamples !== undefined && samples > totalSamples) {
        throw corrupt(kind, `it holds more than the ${totalSamples} samples its header claims`);
      }
      yield joinChannels(channelData.map((channel) => rescale(channel, bitDepth)), { split });
    }
    if (totalSamples !== undefined && samples < totalSamples) {
      throw truncated(kind, `after ${samples} of the ${totalSamples} samples its header claims`);
    }
  } finally {
    decoder.free();
  }
}

/** The start of a file whose only metadata is this STREAMINFO. */
function streamHead(streamInfo: Uint8Array): Uint8Array {
  const magic = new TextEncoder().encode("fLaC");
  return Uint8Array.of(
    ...magic,
    0x80,
    0,
    0,
    STREAM_INFO_BYTES,
    ...streamInfo.subarray(0, STREAM_INFO_BYTES),
  );
}

/**
 * Rescales in place: the decoder divides integers by 2ⁿ⁻¹ − 1, and we divide by 2ⁿ⁻¹, as everywhere
 * else.
 */
function rescale(samples: Float32Array, bitDepth: number): Float32Array {
  const fullScale = 2 ** (bitDepth - 1);
  for (let i = 0; i < samples.length; i++) {
    const integer = samples[i]! * (fullScale - 1);
    // beyond 24 bits a float32 is not exact
    samples[i] = (bitDepth <= 24 ? Math.round(integer) : integer) / fullScale;
  }
  return samples;
}
