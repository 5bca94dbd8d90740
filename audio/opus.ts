/**
 * Ogg Opus (RFC 7845), decoded by libopus (WebAssembly) straight to 16 kHz.
 *
 * Lengths are exact: positions count samples at 48 kHz, the pre-skip is dropped from the start, the
 * last page's position trims the end, and N samples at 48 kHz become ceil(N / 3).
 */
import { OpusDecoder } from "opus-decoder";
import type { OggPage } from "./ogg.ts";
import { viewOf } from "./byte_reader.ts";
import {
  corrupt,
  joinChannels,
  type OpenedAudio,
  type Split,
  truncated,
  unsupported,
} from "./source.ts";

const OPUS_RATE = 48_000;
const DECODED_RATE = 16_000;
const KIND = "ogg-opus";

interface OpusHead {
  readonly channels: number;
  /** In samples at 48 kHz. */
  readonly preSkip: number;
  /** Linear. */
  readonly gain: number;
  readonly streams: number;
  readonly coupledStreams: number;
  readonly mapping: number[];
}

/**
 * Opens Ogg Opus, whose first packet is the head.
 *
 * @throws {CpcError} `invalid_audio`, `unsupported_audio`, also while its chunks are read
 */
export function openOpus(
  packet: Uint8Array,
  { pages, split }: Split & { pages: AsyncGenerator<OggPage> },
): OpenedAudio {
  const head = parseHead(packet);
  return {
    info: { kind: KIND, sampleRate: OPUS_RATE, channels: head.channels },
    decodedRate: DECODED_RATE,
    chunks: decodePages(head, { pages, split }),
  };
}

function parseHead(packet: Uint8Array): OpusHead {
  if (packet.length < 19) {
    throw corrupt(KIND, `its head has ${packet.length} bytes; it needs at least 19`);
  }
  const view = viewOf(packet);
  const version = view.getUint8(8);
  const channels = view.getUint8(9);
  const family = view.getUint8(18);
  if (version >> 4 !== 0) throw unsupported(KIND, `version ${version} of the head`);
  if (channels === 0) throw corrupt(KIND, "it has zero channels");
  const head = {
    channels,
    preSkip: view.getUint16(10, true),
    gain: 10 ** (view.getInt16(16, true) / 256 / 20),
  };
  if (family === 0) {
    if (channels > 2) throw corrupt(KIND, `it has ${channels} channels without a mapping`);
    return {
      ...head,
      streams: 1,
      coupledStreams: channels - 1,
      mapping: channels === 2 ? [0, 1] : [0],
    };
  }
  if (family !== 1 && family !== 255) throw unsupported(KIND, `channel mapping family ${family}`);
  const mapping = [...packet.subarray(21, 21 + channels)];
  const [streams = 0, coupledStreams = 0] = packet.subarray(19, 21);
  const wrong = mapping.some((index) => index !== 255 && index >= streams + coupledStreams);
  if (
    mapping.length < channels || streams === 0 || coupledStreams > streams ||
    streams + coupledStreams > 255 || wrong
  ) {
    throw corrupt(KIND, "its channel mapping is invalid");
  }
  return { ...head, streams, coupledStreams, mapping };
}

async function* decodePages(
  head: OpusHead,
  { pages, split }: Split & { pages: AsyncGenerator<OggPage> },
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const decoder = new OpusDecoder({
    sampleRate: DECODED_RATE,
    channels: head.channels,
    streamCount: head.streams,
    coupledStreamCount: head.coupledStreams,
    channelMappingTable: head.mapping,
  });
  await decoder.ready;
  try {
    const perSample = OPUS_RATE / DECODED_RATE;
    const width = split ? head.channels : 1;
    let decoded = 0; // at 16 kHz, the pre-skip included
    let emitted = 0; // at 16 kHz
    let skip = Math.floor(head.preSkip / perSample);
    // position of the first decoded sample, at 48 kHz: not 0 in a recording of a stream joined late
    let offset: number | undefined;
    let tagsSeen = false;
    for await (const { packets, granule, last } of pages) {
      const audio = tagsSeen ? packets : packets.slice(1);
      tagsSeen ||= packets.length > 0;
      const whole = joinChannels(decodePackets(decoder, audio, decoded), { split });
      decoded += whole.length / width;
      let chunk = whole.subarray(Math.min(width * skip, whole.length));
      skip -= (whole.length - chunk.length) / width;
      if (audio.length > 0 && granule >= 0) offset ??= last ? 0 : granule - decoded * perSample;
      if (offset !== undefined && offset < 0) {
        throw corrupt(KIND, "its positions begin before its first sample");
      }
      if (last) {
        const total = Math.ceil((granule - (offset ?? 0) - head.preSkip) / perSample);
        const missing = total - emitted - chunk.length / width;
        if (missing > 0) {
          throw truncated(KIND, `${missing} samples (of 16 kHz) before its stated end`);
        }
        if (total < emitted) throw corrupt(KIND, "its stated end lies before its last page");
        chunk = chunk.subarray(0, width * (total - emitted));
      }
      emitted += chunk.length / width;
      if (head.gain !== 1) chunk.forEach((sample, i) => chunk[i] = sample * head.gain);
      if (chunk.length > 0) yield chunk;
    }
  } finally {
    decoder.free();
  }
}

function decodePackets(
  decoder: OpusDecoder<16000>,
  packets: readonly Uint8Array[],
  decoded: number,
): readonly Float32Array[] {
  if (packets.length === 0) return [];
  const { channelData, errors } = decoder.decodeFrames([...packets]);
  const [error] = errors;
  if (error) {
    const where = `a packet after ${decoded / DECODED_RATE} s`;
    throw corrupt(KIND, `${where} is damaged (${error.message})`);
  }
  return channelData;
}
