/**
 * A stream of Opus → samples at 16 kHz, packet by packet, as its bytes arrive. The workers run
 * this.
 */
import { ascii, ByteReader } from "./byte_reader.ts";
import { oggPages } from "./ogg.ts";
import { decodePages } from "./opus.ts";
import {
  DECODED_RATE,
  type OpusHead,
  OpusTrack,
  parseHead,
  plainHead,
  type TrackChannels,
} from "./opus_track.ts";
import { corrupt } from "./source.ts";
import type { OpusEncoding } from "./stream_encodings.ts";
import { MAX_STREAM_CHANNELS } from "./pcm.ts";
import { webmPackets } from "./webm.ts";

/** What a stream's client said of it. */
export interface LiveOptions extends TrackChannels {
  readonly encoding: OpusEncoding;
  /** Channels of bare packets; of every kind where they are split or one is chosen. */
  readonly channels: number;
}

const HEAD = "OpusHead";
/**
 * How often a recorder may begin anew at once, and per second of audio over longer times: each time
 * takes a new decoder, which costs as much as half a second of audio.
 */
const BEGINNINGS = { most: 8, perS: 10 } as const;

/**
 * Decodes a stream.
 *
 * @param messages for `opus` a packet each, for the others bytes cut anywhere
 * @returns samples of one or a few packets at a time, `[n, channels]` if split
 * @throws {CpcError} `invalid_audio`, `unsupported_audio`
 */
export async function* decodeLive(
  messages: AsyncIterable<Uint8Array>,
  options: LiveOptions,
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const { encoding } = options;
  if (encoding === "opus") return yield* decodePackets(messages, options);
  const reader = new ByteReader(messages);
  const document = encoding === "ogg-opus" ? decodeOgg : decodeWebm;
  const width = options.split ? options.channels : 1;
  let left: number = BEGINNINGS.most;
  // recorders may begin anew; what the end cuts short is dropped
  while (!reader.hasEnded && !await reader.atEnd()) {
    if (left < 1) {
      const often = `${BEGINNINGS.most} times at once, or ${BEGINNINGS.perS} times a second`;
      throw corrupt(encoding, `it begins anew too often; it may do so ${often} of audio`);
    }
    left--;
    for await (const samples of document(reader, options)) {
      const seconds = samples.length / width / DECODED_RATE;
      left = Math.min(BEGINNINGS.most, left + BEGINNINGS.perS * seconds);
      yield samples;
    }
  }
}

async function* decodePackets(
  packets: AsyncIterable<Uint8Array>,
  options: LiveOptions,
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const { encoding: kind, split, channel } = options;
  let track: OpusTrack | undefined;
  try {
    for await (const packet of packets) {
      if (packet.length === 0) continue;
      const head = isHead(packet) ? checked(parseHead(packet, kind), options) : undefined;
      if (head && track) throw corrupt(kind, "a second OpusHead; send reset before it");
      track ??= await OpusTrack.open(head ?? plainHead(options.channels), { kind, split, channel });
      const samples = head ? new Float32Array(0) : track.decode([packet]);
      if (samples.length > 0) yield samples;
    }
  } finally {
    track?.free();
  }
}

async function* decodeOgg(
  reader: ByteReader,
  options: LiveOptions,
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const { split, channel } = options;
  const pages = oggPages(reader, "ogg-opus", { isLive: true });
  const { value: page } = await pages.next();
  if (!page) return; // cut short in its first page
  const head = page.packets[0];
  if (!head || !isHead(head)) throw corrupt("ogg-opus", "its first page holds no OpusHead");
  yield* decodePages(checked(parseHead(head, "ogg-opus"), options), { pages, split, channel });
}

async function* decodeWebm(
  reader: ByteReader,
  options: LiveOptions,
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const { split, channel } = options;
  let track: OpusTrack | undefined;
  try {
    for await (const event of webmPackets(reader)) {
      if ("head" in event) {
        const kind = options.encoding;
        track = await OpusTrack.open(checked(event.head, options), { kind, split, channel });
        continue;
      }
      const samples = track?.decode([event.packet], event) ?? new Float32Array(0);
      if (samples.length > 0) yield samples;
    }
  } finally {
    track?.free();
  }
}

function isHead(packet: Uint8Array): boolean {
  return packet.length >= HEAD.length && ascii(packet, 0, HEAD.length) === HEAD; // no packet is
}

/** A head whose channels are what the client said, as far as that matters. */
function checked(head: OpusHead, { encoding, channels, split, channel }: LiveOptions): OpusHead {
  const matters = split || channel !== undefined;
  if (matters && head.channels !== channels) {
    throw corrupt(encoding, `its head has ${head.channels} channels, its query ${channels}`);
  }
  if (head.channels <= MAX_STREAM_CHANNELS) return head;
  throw corrupt(encoding, `it has ${head.channels} channels, more than ${MAX_STREAM_CHANNELS}`);
}
