/**
 * Ogg Opus (RFC 7845).
 *
 * Lengths are exact: positions count samples at 48 kHz, the pre-skip is dropped from the start, the
 * last page's position trims the end, and N samples at 48 kHz become ceil(N / 3).
 */
import type { OggPage } from "./ogg.ts";
import {
  DECODED_RATE,
  OPUS_RATE,
  type OpusHead,
  OpusTrack,
  parseHead,
  type TrackChannels,
} from "./opus_track.ts";
import { corrupt, type OpenedAudio, type Split, truncated } from "./source.ts";

const KIND = "ogg-opus";
/** Packets decoded at once: 0.96 s at the most. A page may hold 30 s. */
const GROUP_PACKETS = 8;

/**
 * Opens Ogg Opus, whose first packet is the head.
 *
 * @throws {CpcError} `invalid_audio`, `unsupported_audio`, also while its chunks are read
 */
export function openOpus(
  packet: Uint8Array,
  { pages, split }: Split & { pages: AsyncGenerator<OggPage> },
): OpenedAudio {
  const head = parseHead(packet, KIND);
  return {
    info: { kind: KIND, sampleRate: OPUS_RATE, channels: head.channels },
    decodedRate: DECODED_RATE,
    chunks: decodePages(head, { pages, split }),
  };
}

/** Samples at 16 kHz of all pages after the head's. */
export async function* decodePages(
  head: OpusHead,
  { pages, ...channels }: TrackChannels & { pages: AsyncGenerator<OggPage> },
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const track = await OpusTrack.open(head, { ...channels, kind: KIND });
  try {
    // position of the first decoded sample, at 48 kHz: not 0 in a recording of a stream joined late
    let offset: number | undefined;
    let tagsSeen = false;
    for await (const { packets, granule, last } of pages) {
      const audio = tagsSeen ? packets : packets.slice(1);
      tagsSeen ||= packets.length > 0;
      if (last && audio.length > 0 && granule >= 0) offset ??= 0;
      const until = last ? track.samplesOf(granule - (offset ?? 0)) : Infinity;
      if (until < track.emitted) {
        throw corrupt(KIND, "its stated end lies before its last page");
      }
      for (let at = 0; at < audio.length; at += GROUP_PACKETS) {
        const chunk = track.decode(audio.slice(at, at + GROUP_PACKETS), { until });
        if (chunk.length > 0) yield chunk;
      }
      if (last && until > track.emitted) {
        const missing = until - track.emitted;
        throw truncated(KIND, `${missing} samples (of 16 kHz) before its stated end`);
      }
      if (audio.length > 0 && granule >= 0) offset ??= granule - track.decodedClock;
      if (offset !== undefined && offset < 0) {
        throw corrupt(KIND, "its positions begin before its first sample");
      }
    }
  } finally {
    track.free();
  }
}
