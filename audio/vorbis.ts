/**
 * Ogg Vorbis, decoded by libvorbis (WebAssembly) page by page, or in parts of a page; the last
 * page's position trims the end.
 */
import { OggVorbisDecoder } from "@wasm-audio-decoders/ogg-vorbis";
import type { OggPage } from "./ogg.ts";
import { joined, viewOf } from "./byte_reader.ts";
import { corrupt, joinChannels, type OpenedAudio, type Split, truncated } from "./source.ts";

const KIND = "ogg-vorbis";
/**
 * Samples of all channels decoded at once. A page of a few hundred bytes may hold 266 million of
 * them: 255 packets of 255 channels.
 */
const STEP_SAMPLES = 2 ** 18;
/** Where a page has its flags, the number of its segments, and their sizes. */
const [FLAGS_AT, SEGMENTS_AT, TABLE_AT] = [5, 26, 27];
const CONTINUED = 1;

/**
 * Opens Ogg Vorbis, whose first packet is the identification header.
 *
 * @param options `stepSamples`: decoded at once (tests bring their own)
 * @throws {CpcError} `invalid_audio`, also while its chunks are read
 */
export function openVorbis(
  head: Uint8Array,
  { first, pages, split, stepSamples = STEP_SAMPLES }: Split & {
    first: OggPage;
    pages: AsyncGenerator<OggPage>;
    stepSamples?: number;
  },
): OpenedAudio {
  if (head.length < 30) throw corrupt(KIND, `its head has ${head.length} bytes; it needs 30`);
  const view = viewOf(head);
  const channels = view.getUint8(11);
  const sampleRate = view.getUint32(12, true);
  if (channels === 0 || sampleRate === 0) {
    throw corrupt(KIND, `it has ${channels} channels at ${sampleRate} Hz`);
  }
  const packetSamples = channels * 2 ** (view.getUint8(28) >> 4) / 2; // at the most
  return {
    info: { kind: KIND, sampleRate, channels },
    chunks: decodePages(channels, {
      first,
      pages,
      split,
      packets: Math.max(1, Math.floor(stepSamples / packetSamples)),
    }),
  };
}

/** @param options `packets`: most that are decoded at once */
async function* decodePages(
  channels: number,
  { first, pages, split, packets }: Split & {
    first: OggPage;
    pages: AsyncGenerator<OggPage>;
    packets: number;
  },
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const decoder = new OggVorbisDecoder();
  await decoder.ready;
  try {
    await decoder.decode(first.bytes);
    const width = split ? channels : 1;
    let emitted = 0;
    /** @param until position that trims the end */
    const samplesOf = (
      { channelData, samplesDecoded, errors }: Awaited<ReturnType<typeof decoder.decode>>,
      until: number,
    ) => {
      if (errors[0]) throw corrupt(KIND, errors[0].message);
      if (samplesDecoded > 0 && channelData.length !== channels) {
        throw corrupt(KIND, "its channels change");
      }
      const chunk = joinChannels(channelData, { split })
        .subarray(0, Math.max(0, width * (until - emitted)));
      emitted += chunk.length / width;
      return chunk;
    };
    for await (const { bytes, granule, last } of pages) {
      const until = last ? granule : Infinity;
      for (const part of partsOf(bytes, packets)) {
        const chunk = samplesOf(await decoder.decode(part), until);
        if (chunk.length > 0) yield chunk;
      }
      if (!last) continue;
      // the decoder's own parser holds a page back until it sees the next
      const chunk = samplesOf(await decoder.flush(), until);
      if (chunk.length > 0) yield chunk;
      if (emitted < until) {
        throw truncated(KIND, `${until - emitted} samples before its stated end`);
      }
    }
  } finally {
    decoder.free();
  }
}

/** A page as pages of a few packets, none of which ends the stream: the decoder trims nothing. */
function* partsOf(page: Uint8Array, packets: number): Generator<Uint8Array> {
  const tableEnd = TABLE_AT + page[SEGMENTS_AT]!;
  let [from, bodyFrom, bodyTo, count] = [TABLE_AT, tableEnd, tableEnd, 0];
  for (let at = from; at < tableEnd; at++) {
    bodyTo += page[at]!;
    if (page[at]! < 255) count++;
    if (count < packets && at < tableEnd - 1) continue;
    const table = page.subarray(from, at + 1);
    const body = page.subarray(bodyFrom, bodyTo);
    const part = joined(
      [page.subarray(0, TABLE_AT), table, body],
      TABLE_AT + table.length + body.length,
    );
    part[FLAGS_AT] = from === TABLE_AT ? page[FLAGS_AT]! & CONTINUED : 0;
    part[SEGMENTS_AT] = table.length;
    yield part;
    [from, bodyFrom, count] = [at + 1, bodyTo, 0];
  }
}
