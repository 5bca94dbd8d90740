/**
 * Ogg Vorbis, decoded by libvorbis (WebAssembly) page by page; the last page's position trims the
 * end.
 */
import { OggVorbisDecoder } from "@wasm-audio-decoders/ogg-vorbis";
import type { OggPage } from "./ogg.ts";
import { viewOf } from "./byte_reader.ts";
import { joinChunks } from "./rechunk.ts";
import { corrupt, joinChannels, type OpenedAudio, type Split, truncated } from "./source.ts";

const KIND = "ogg-vorbis";

/**
 * Opens Ogg Vorbis, whose first packet is the identification header.
 *
 * @throws {CpcError} `invalid_audio`, also while its chunks are read
 */
export function openVorbis(
  head: Uint8Array,
  { first, pages, split }: Split & { first: OggPage; pages: AsyncGenerator<OggPage> },
): OpenedAudio {
  if (head.length < 30) throw corrupt(KIND, `its head has ${head.length} bytes; it needs 30`);
  const view = viewOf(head);
  const channels = view.getUint8(11);
  const sampleRate = view.getUint32(12, true);
  if (channels === 0 || sampleRate === 0) {
    throw corrupt(KIND, `it has ${channels} channels at ${sampleRate} Hz`);
  }
  return {
    info: { kind: KIND, sampleRate, channels },
    chunks: decodePages(channels, { first, pages, split }),
  };
}

async function* decodePages(
  channels: number,
  { first, pages, split }: Split & { first: OggPage; pages: AsyncGenerator<OggPage> },
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const decoder = new OggVorbisDecoder();
  await decoder.ready;
  try {
    await decoder.decode(first.bytes);
    const width = split ? channels : 1;
    let emitted = 0;
    for await (const { bytes, granule, last } of pages) {
      const parts = [await decoder.decode(bytes)];
      // the decoder's own parser holds a page back until it sees the next
      if (last) parts.push(await decoder.flush());
      for (const { channelData, samplesDecoded, errors } of parts) {
        if (errors[0]) throw corrupt(KIND, errors[0].message);
        if (samplesDecoded > 0 && channelData.length !== channels) {
          throw corrupt(KIND, "its channels change");
        }
      }
      let chunk = joinChunks(parts.map((part) => joinChannels(part.channelData, { split })));
      if (last) {
        const missing = granule - emitted - chunk.length / width;
        if (missing > 0) throw truncated(KIND, `${missing} samples before its stated end`);
        chunk = chunk.subarray(0, Math.max(0, width * (granule - emitted)));
      }
      emitted += chunk.length / width;
      if (chunk.length > 0) yield chunk;
    }
  } finally {
    decoder.free();
  }
}
